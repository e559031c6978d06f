"""Dependents of what is deleted, by owner references; start at plan.py."""
