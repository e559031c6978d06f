"""One session per host: pod state machine (pure), container specs, probes, status, streams."""
