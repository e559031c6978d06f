"""Requests for certificates: signed once approved, removed once done; start at plan.py."""
