"""Hosts in memory: what implements `remote.seams` without a network, on real or virtual time.

`engine.FakeEngine` passes the same contract suite as a Docker Engine; `host` puts an engine and a
shim together into hosts that can be lost and found again.
"""
