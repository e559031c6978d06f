"""Custom resources: what a CustomResourceDefinition says, and what follows for its objects. Pure.

`definition` checks definitions and `structural` their schemas; `rows` turns an established one into
rows of the table of kinds, each with a `version.CustomVersion`; `pruning`, `defaulting` and
`checking` are what a schema does to an object; `columns` and `jsonpath` print one; `published` is
what OpenAPI shows. Source: Kubernetes docs, "Extend the Kubernetes API with
CustomResourceDefinitions".
"""
