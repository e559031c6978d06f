"""See orchestrator/remote/__init__.py."""
