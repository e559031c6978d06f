"""Admission policies as pure code: what they match, what they ask, and what they say.

`words` names the kinds, `question` is one request, `matching` says whom a policy is about,
`expression` compiles and checks its CEL, `policy` is a stored policy made ready, `evaluation` runs
it, `authority` is what expressions may ask about permissions. Whoever has the objects at hand
(`registry/policies`) puts them together.

Source: Kubernetes docs, "Validating Admission Policy"; admissionregistration.k8s.io/v1.
"""
