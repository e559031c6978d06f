"""Frozen typed views of the fields that orch acts on, beside the full JSON document.

A view is decoded from an object's bytes with `decode_view`; fields that it does not name are
simply not seen by it and survive in the document (architecture decision D15). Never build the
document from a view. Start reading at `meta.py`.
"""
