"""One folder per kind: plan.py (pure) and controller.py."""
