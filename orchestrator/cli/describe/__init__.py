"""`orch describe`, one module per kind: documents in, lines out; the words are kubectl's."""
