"""Host keys: known ones are verified, new ones are pinned on first use, changed ones stop a host.

Pins live in the state directory's known_hosts, one line per key, under the node's name (jump hosts
under their address). A key that the user knows already, from ~/.ssh/known_hosts or a known_hosts
beside the inventory, is taken over from there. Source: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT".
"""

import base64
import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import paramiko

from orchestrator.kit.errors import HostKeyMismatch

PORT: Final = 22


@dataclass(frozen=True, slots=True)
class Pin:
    """How a host's key was accepted.

    Attributes:
        how: "known" (pinned before), "adopted" (known to the user), "first-use".
        fingerprint: "SHA256:..." as ssh-keygen -l prints it.
        kind: "ssh-ed25519", ...
    """

    how: Literal["known", "adopted", "first-use"]
    fingerprint: str
    kind: str


def fingerprint(key: paramiko.PKey) -> str:
    """SHA256:... as OpenSSH prints it."""
    digest = hashlib.sha256(key.asbytes()).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def address_name(host: str, port: int) -> str:
    """The name that OpenSSH gives an address in known_hosts."""
    return host if port == PORT else f"[{host}]:{port}"


class HostKeys:
    """The pins of one state directory, and what else the user knows. Safe across threads.

    With `record` false new pins hold for this object only (dry runs).
    """

    def __init__(self, pins: Path, also_known: Sequence[Path] = (), *, record: bool = True) -> None:
        self._path = pins
        self._record = record
        self._lock = threading.Lock()
        self._pins = _load(pins)
        self._known = [_load(path) for path in also_known]

    @property
    def path(self) -> Path:
        """The file of pins."""
        return self._path

    def expected(self, alias: str, address: str) -> dict[str, paramiko.PKey]:
        """Keys that a host may show, by kind: pins under `alias`, else what the user knows."""
        with self._lock:
            pinned = self._pins.lookup(alias)
            if pinned is not None:
                return dict(pinned.items())
        for known in self._known:
            found = known.lookup(address)
            if found is not None:
                return dict(found.items())
        return {}

    def accept(self, alias: str, address: str, key: paramiko.PKey) -> Pin:
        """Verifies a key that a host showed; pins it when it is new.

        Raises:
            HostKeyMismatch: the host is known with another key; says how to accept the new one.
        """
        shown, kind = fingerprint(key), key.get_name()
        with self._lock:
            pinned = self._pins.lookup(alias)
            if pinned is not None:
                if pinned.get(kind) == key:
                    return Pin("known", shown, kind)
                raise self._mismatch(alias, alias, self._path, key, dict(pinned.items()))
            how: Literal["adopted", "first-use"] = "first-use"
            for known in self._known:
                found = known.lookup(address)
                if found is None:
                    continue
                if found.get(kind) != key:
                    where = _path_of(known)
                    raise self._mismatch(alias, address, where, key, dict(found.items()))
                how = "adopted"
                break
            self._pins.add(alias, kind, key)
            if self._record:
                self._append(alias, key)
            return Pin(how, shown, kind)

    def forget(self, alias: str) -> None:
        """Removes a host's pin; idempotent."""
        with self._lock:
            if self._pins.pop(alias, None) is not None:
                kept = [
                    line
                    for line in self._path.read_text().splitlines(keepends=True)
                    if line.split(" ")[0] != alias
                ]
                self._path.write_text("".join(kept))

    def _append(self, alias: str, key: paramiko.PKey) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(f"{alias} {key.get_name()} {key.get_base64()}\n")

    def _mismatch(
        self,
        node: str,
        name: str,
        path: Path,
        key: paramiko.PKey,
        pinned: dict[str, paramiko.PKey],
    ) -> HostKeyMismatch:
        before = ", ".join(f"{kind} {fingerprint(k)}" for kind, k in sorted(pinned.items()))
        return HostKeyMismatch(
            f"the host key has CHANGED: it shows {key.get_name()} {fingerprint(key)}, and "
            f"{path} has {before}. Somebody may be listening in, or the host was installed anew; "
            f"if so, accept its new key with: ssh-keygen -R '{name}' -f {path}",
            node=node,
            operation="verify host key",
        )


class PinningPolicy(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]  # not typed
    """Hands every key that paramiko was not told of to `HostKeys.accept`.

    Attributes:
        pin: how the key was accepted; None before the connection.
    """

    def __init__(self, keys: HostKeys, alias: str, address: str) -> None:
        self._keys = keys
        self._alias = alias
        self._address = address
        self.pin: Pin | None = None

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        """Called by paramiko with the key that the host has proved to hold."""
        del client, hostname
        self.pin = self._keys.accept(self._alias, self._address, key)


class _NamedHostKeys(paramiko.HostKeys):  # type: ignore[misc]  # paramiko is not typed
    """Remembers which file it was read from."""

    path: Path = Path()


def _path_of(keys: paramiko.HostKeys) -> Path:
    return keys.path if isinstance(keys, _NamedHostKeys) else Path()


def _load(path: Path) -> _NamedHostKeys:
    keys = _NamedHostKeys()
    keys.path = path
    if path.is_file():
        keys.load(str(path))
    return keys
