"""Namespaces that are being deleted: their contents first; start at plan.py."""
