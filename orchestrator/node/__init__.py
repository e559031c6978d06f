"""Drives hosts: one session per Node, one worker per pod.

What decides is pure: `spec.py`, `environment.py` and `volumes.py` turn a pod into engine calls,
`machine.py` says what to do next, `status.py` and `facts.py` what to report. What acts is
`worker.py` (one pod), `session.py` (one host) and `manager.py` (all hosts); `streams.py` and
`logs.py` carry byte streams. Start reading at `machine.py`.
"""
