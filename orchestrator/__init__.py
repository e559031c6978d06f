"""orch: a list of SSH hosts as one platform that speaks the Kubernetes API.

Start reading at docs/architecture.md; each package's docstring is its chapter of the map.
"""
