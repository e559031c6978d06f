"""Drives hosts: one session per Node, one worker per pod.

What decides is pure: `spec.py`, `environment.py` and `volumes.py` turn a pod into engine calls,
`machine.py` says what to do next, `status.py` and `facts.py` what to report. What acts is
`worker.py` (one pod), `session.py` (one host) and `manager.py` (all hosts); `streams.py` is what
byte streams are asked for by, `hoststreams.py` opens them. Start reading at `machine.py`.
"""
