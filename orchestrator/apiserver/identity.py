"""Who asks. A value; how it was proved is `authn`'s business."""

from dataclasses import dataclass, field
from typing import Final

MASTERS: Final = "system:masters"
AUTHENTICATED: Final = "system:authenticated"
UNAUTHENTICATED: Final = "system:unauthenticated"


@dataclass(frozen=True, slots=True)
class Identity:
    """A user with its groups.

    Attributes:
        user: "orch-admin"; "system:anonymous" for nobody in particular.
        groups: "system:masters", ...; with "system:authenticated" for everyone known.
        proved_by: "certificate", "token", "password", "impersonation" or "" for anonymous.
        actor: who really asks, when this identity is impersonated.
    """

    user: str
    groups: tuple[str, ...] = field(default=())
    proved_by: str = ""
    actor: str = ""

    @property
    def anonymous(self) -> bool:
        """Whether no credential was shown."""
        return not self.proved_by

    @property
    def master(self) -> bool:
        """Whether everything is allowed."""
        return MASTERS in self.groups


ANONYMOUS: Final = Identity("system:anonymous", (UNAUTHENTICATED,))
