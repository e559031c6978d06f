"""The service account that every namespace has; start at plan.py."""
