"""Who asks. A value; how it was proved is `authn`'s business."""

from dataclasses import dataclass, field
from typing import Any, Final

from litestar.types import Scope

from orchestrator.api.rbac.index import group_subject, user_subject

ANONYMOUS_USER: Final = "system:anonymous"
MASTERS: Final = "system:masters"
AUTHENTICATED: Final = "system:authenticated"
UNAUTHENTICATED: Final = "system:unauthenticated"
IDENTITY_KEY: Final = "orch.identity"
"""Where a scope holds it."""

Extra = tuple[tuple[str, tuple[str, ...]], ...]
"""Further facts about a user: keys, each with its values."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A user with its groups.

    Attributes:
        user: "orch-admin"; "system:anonymous" for nobody in particular.
        groups: "system:masters", ...; with "system:authenticated" for everyone known.
        proved_by: "certificate", "token", "password", "impersonation" or "" for anonymous.
        actor: who really asks, when this identity is impersonated.
        uid: of the user, where one is known (service accounts).
        extra: what else the proof says: the pod that a token was made for, ...
    """

    user: str
    groups: tuple[str, ...] = field(default=())
    proved_by: str = ""
    actor: str = ""
    uid: str = ""
    extra: Extra = ()

    @property
    def anonymous(self) -> bool:
        """Whether no credential was shown."""
        return not self.proved_by

    @property
    def master(self) -> bool:
        """Whether everything is allowed."""
        return MASTERS in self.groups

    @property
    def subjects(self) -> tuple[str, ...]:
        """The user and its groups as bindings know them (`api.rbac.index`)."""
        return (user_subject(self.user), *(group_subject(group) for group in self.groups))

    def document(self) -> dict[str, Any]:
        """As `userInfo` of reviews carries it (authentication.k8s.io/v1 UserInfo)."""
        found: dict[str, Any] = {"username": self.user}
        if self.uid:
            found["uid"] = self.uid
        if self.groups:
            found["groups"] = list(self.groups)
        if self.extra:
            found["extra"] = {key: list(values) for key, values in self.extra}
        return found


ANONYMOUS: Final = Identity(ANONYMOUS_USER, (UNAUTHENTICATED,))


def identity_of(scope: Scope) -> Identity:
    """Who asks, as the gate found out."""
    fields: Any = scope
    found: Identity = fields.get(IDENTITY_KEY, ANONYMOUS)
    return found
