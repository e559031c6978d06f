"""Names that several modules need to agree on."""

from typing import Final

GROUP: Final = "admissionregistration.k8s.io"
POLICIES: Final = f"validatingadmissionpolicies.{GROUP}"
BINDINGS: Final = f"validatingadmissionpolicybindings.{GROUP}"
ENABLE: Final = (
    "policies are expressions in CEL, and the library for them is not installed here: "
    "pip install 'orch[cel]' and restart the server"
)
"""What somebody is told who wants policies where nobody could keep them."""
