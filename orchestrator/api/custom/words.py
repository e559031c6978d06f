"""Names of the kind that defines kinds."""

from typing import Final

CRDS: Final = "customresourcedefinitions.apiextensions.k8s.io"
"""`ObjectKey.resource` of CustomResourceDefinitions."""

CLEANUP_FINALIZER: Final = "customresourcecleanup.apiextensions.k8s.io"
"""Holds a definition that is being deleted until its objects are gone."""

ESTABLISHED: Final = "Established"
NAMES_ACCEPTED: Final = "NamesAccepted"
TERMINATING: Final = "Terminating"
