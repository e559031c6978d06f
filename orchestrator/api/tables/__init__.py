"""Table columns and rows, one module per family of kinds, as Kubernetes prints them.

Start reading at `table.py`. Source: Kubernetes pkg/printers/internalversion; meta/v1 Table.
"""
