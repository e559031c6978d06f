"""Which manager said which field: sets of fields, merging by schema, and the managers' entries.

Start with `fieldset` (what a set is), then `walking` (documents to sets), `merging` (an applied
configuration into an object), `managers` (who owns what after a write). Pure.
Source: Kubernetes concepts, "Server-Side Apply"; KEP-555.
"""
