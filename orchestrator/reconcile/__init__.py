"""Informers, controller loop, intents: what turns store events into planned writes."""
