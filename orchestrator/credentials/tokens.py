"""Bearer tokens: a file that maps the SHA-256 of each token to a user and its groups.

The file never holds a token itself, so reading it lets nobody in. Tokens are 256 random bits, so a
plain hash is enough: there is nothing to guess.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from orchestrator.credentials.files import write_atomic
from orchestrator.kit.clock import Clock, SystemClock
from orchestrator.kit.errors import ConfigError


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """Who a token stands for.

    Attributes:
        user: name as `kubectl auth whoami` shows it.
        groups: its groups; "system:masters" may do everything.
    """

    user: str
    groups: tuple[str, ...] = ()


def new_token() -> str:
    """A fresh random token: 256 bits, URL-safe text."""
    return secrets.token_urlsafe(32)


def token_digest(token: str) -> str:
    """The key under which the file keeps a token: SHA-256 in lower-case hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def read_tokens(path: Path) -> dict[str, TokenOwner]:
    """The file's content, digest to owner; empty when there is no file.

    Raises:
        ConfigError: the file is no JSON object of the right shape.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    try:
        return msgspec.json.decode(data, type=dict[str, TokenOwner])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        shape = '{"<sha256 of the token>": {"user": "...", "groups": ["..."]}}'
        raise ConfigError([f"{path}: {error}; expected {shape}"]) from error


def write_tokens(path: Path, tokens: Mapping[str, TokenOwner]) -> None:
    """Replaces the file, mode 0600."""
    data = msgspec.json.format(msgspec.json.encode(dict(sorted(tokens.items()))), indent=2)
    write_atomic(path, data + b"\n")


LOOK_S: Final = 0.05
"""How long a token that was found good stays so without a look at the file."""


class TokenFile:
    """Looks tokens up; a new one holds at once, one that is taken away at most `LOOK_S` longer."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self._path = path
        self._clock = clock or SystemClock()
        self._looked_s = 0.0
        self._stamp: tuple[int, int, int] | None = None
        self._tokens: dict[str, TokenOwner] = {}
        self._shown: dict[str, TokenOwner] = {}

    def owner_of(self, token: str) -> TokenOwner | None:
        """Who the token stands for, or None. Reads the file only if it changed.

        Raises:
            ConfigError: the file was changed to something that cannot be read.
        """
        now_s = self._clock.monotonic()
        owner = self._shown.get(token)
        if owner is not None and now_s - self._looked_s < LOOK_S:
            return owner  # a system call for each request would be a tenth of a GET
        self._look()
        self._looked_s = now_s
        owner = self._shown.get(token)
        if owner is None:
            owner = self._tokens.get(token_digest(token))
            if owner is not None:  # of those that were shown wrongly there is no end
                self._shown[token] = owner
        return owner

    def _look(self) -> None:
        stamp = self._current_stamp()
        if stamp != self._stamp:
            self._tokens = read_tokens(self._path)
            self._stamp = stamp
            self._shown.clear()

    def _current_stamp(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size
