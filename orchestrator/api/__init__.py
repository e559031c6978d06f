"""The kinds of the Kubernetes API as pure code.

Types (views), defaults, validation, patches, selectors, quantities, tables, schemas. Knows only
kit. Start reading at `resources.py`, the table of kinds.
"""
