"""Puts pods on hosts: view, filters, scores, cycle (pure), and the loop that binds.

Knows hosts and pods only from the store. Start reading at `cycle.py`.
"""
