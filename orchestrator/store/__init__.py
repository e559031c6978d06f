"""Revisioned object log and watch hub on SQLite (PostgreSQL by the same seam)."""
