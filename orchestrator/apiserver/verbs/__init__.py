"""One module per group of verbs; each takes the services, the request and the parsed path.

A verb decodes, asks the registry, and gives back an `Answer` or a `Stream`. It raises ApiError for
everything that the client did wrong.
"""
