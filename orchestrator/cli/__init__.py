"""The orch command."""
