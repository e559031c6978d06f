"""What an object must be like, one module per kind: all faults at once, in Kubernetes' words.

Documents come with right types, without nulls and with defaults filled in. Start reading at
`kinds.py`.
"""
