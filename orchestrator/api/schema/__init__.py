"""What Kubernetes says about its own kinds, and what is served from that.

`bundle` holds the generated data (scripts/generate-schema); `nodes` walks it for patches, `strict`
checks documents, `protobuf` decodes request bodies, `discovery` and `openapi_*` are the documents
that clients ask for. Knows the table of kinds; must not know the registry or HTTP.
"""
