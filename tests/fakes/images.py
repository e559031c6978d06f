"""Images of a fake host, and the registry that it pulls from."""

import hashlib
import re
from dataclasses import dataclass

from orchestrator.kit.errors import EngineError
from orchestrator.remote.docker.references import split_reference
from orchestrator.remote.seams import ImageInfo, RegistryAuth

_SHAPE = re.compile(r"[a-zA-Z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)*(:[\w.-]+)?(@sha256:[0-9a-f]{64})?")


@dataclass(frozen=True, slots=True)
class Published:
    """An image in the registry that the engine pulls from.

    Attributes:
        pull_s: how long a pull takes.
        auth: the credentials that it wants; None for none.
    """

    pull_s: float = 0.0
    auth: RegistryAuth | None = None


class FakeImages:
    """The images on one host, by reference with tag."""

    def __init__(self) -> None:
        self.found: dict[str, ImageInfo] = {}
        self.registry: dict[str, Published] = {}

    def add(self, reference: str, user: str = "") -> None:
        """An image is on the host."""
        tag = tagged(reference)
        digest = hashlib.sha256(tag.encode()).hexdigest()
        self.found[tag] = ImageInfo(f"sha256:{digest}", (tag,), (), 1_000_000, user)

    def remove(self, reference: str) -> None:
        """It is not."""
        self.found.pop(tagged(reference), None)

    def find(self, reference: str) -> ImageInfo | None:
        """By reference or id."""
        by_id = (i for i in self.found.values() if i.id == reference)
        return self.found.get(tagged(reference)) or next(by_id, None)

    def offered(self, reference: str, auth: RegistryAuth | None) -> Published:
        """What the registry has.

        Raises:
            EngineError: 400 no reference, 404 not there, 401 other credentials are wanted.
        """
        if not _SHAPE.fullmatch(reference):
            raise EngineError("invalid reference format", operation="pull", status=400)
        tag = tagged(reference)
        published = self.registry.get(tag)
        if published is None:
            words = f"manifest for {tag} not found: manifest unknown"
            raise EngineError(words, operation="pull", status=404)
        if published.auth is not None and published.auth != auth:
            words = f"pull access denied for {tag}: authentication required"
            raise EngineError(words, operation="pull", status=401)
        return published


def tagged(reference: str) -> str:
    """A reference with its tag or digest."""
    if reference.startswith("sha256:"):
        return reference
    repository, tag = split_reference(reference)
    return f"{repository}@{tag}" if tag.startswith("sha256:") else f"{repository}:{tag}"
