"""Verbs on objects, with kubectl's words: get, apply, delete, describe, logs, scale, rollout."""
