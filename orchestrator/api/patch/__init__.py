"""JSON patch, JSON merge patch and strategic merge patch over JSON documents.

None of them changes its arguments. Knows the schema walker of api.schema and nothing of storage.
"""
