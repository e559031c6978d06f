"""Who may do what, decided purely: rules, the index over all bindings, escalation, built-in roles.

Knows nothing of requests and stores: the API server feeds the index and asks it. Start reading at
`rules.py`. Source: Kubernetes documentation, "Using RBAC Authorization".
"""
