"""Every kubectl command against real hosts, with every kubectl version that is found.

`scripts/conformance` runs it for all versions and writes docs/kubectl.md; the tests' own command runs
it for one.
"""
