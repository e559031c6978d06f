"""Secrets that hold a service account's token; start at plan.py."""
