"""The Litestar application: Kubernetes paths, negotiation, watch, streams, authentication."""
