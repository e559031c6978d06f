"""One stored version of a kind, several served ones: conversions between documents.

`versions` says which rows of the table convert and does it; one module per kind holds the rules.
Knows documents and rows only: what is stored, and when to convert, is the callers' business.
"""
