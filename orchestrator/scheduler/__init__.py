"""Binds pods to nodes: filters, scores, cycle (pure) and the loop."""
