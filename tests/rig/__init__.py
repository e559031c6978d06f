"""Real hosts for tests; see cluster.py."""
