"""Composition root: builds every part of the server and owns the root task group."""
