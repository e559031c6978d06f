"""The defaults that clients rely on, one module per kind; every function is idempotent.

They work on a document that the caller owns and change it in place. Start reading at `kinds.py`.
"""
