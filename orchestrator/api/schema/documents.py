"""A ready-made document: bytes that are the same for every client and every restart."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import msgspec

JSON: Final = "application/json"

_encoder: Final = msgspec.json.Encoder()


@dataclass(frozen=True)
class ReadyDocument:
    """What a GET of a document about the API answers.

    Attributes:
        body: the bytes.
        content_type: to be sent exactly so; clients compare it. Not to be sent with a 304, or
            clients overwrite the type of what they cached.
    """

    body: bytes
    content_type: str = JSON

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the body in upper-case hexadecimals: what `?hash=` carries."""
        return hashlib.sha256(self.body).hexdigest().upper()

    @property
    def etag(self) -> str:
        """The ETag header's value, quotes included; the same across restarts."""
        return f'"{self.digest}"'


def json_document(content: Any, content_type: str = JSON) -> ReadyDocument:
    """Content as JSON with the final newline that Kubernetes sends."""
    return ReadyDocument(_encoder.encode(content) + b"\n", content_type)
