"""Host keys: only those pinned in our own known_hosts file are accepted, ever.

asyncssh raises the same error for an unknown and for a changed key; here they are told apart, with
both fingerprints, because an operator does different things about them.
Source: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT".
"""

from collections.abc import Sequence
from pathlib import Path

import asyncssh
from asyncssh.public_key import get_default_certificate_algs, get_default_public_key_algs

from orchestrator.kit.errors import ConfigError, HostKeyMismatch


class PinnedKeys:
    """What our known_hosts file says of one host (or jump host).

    Args:
        file: path of the known_hosts file; a missing file pins nothing.
        host: name or address that is connected to.
        port: of sshd.
        alias: name under which the key is pinned; "" for host and port.

    Raises:
        ConfigError: the file cannot be read or parsed.
    """

    def __init__(self, file: str, host: str, port: int, alias: str) -> None:
        self._file = file
        self.label = alias or (host if port == 22 else f"[{host}]:{port}")
        try:
            path = Path(file)
            text = path.read_text(encoding="utf-8") if file and path.exists() else ""
            known = asyncssh.import_known_hosts(text)
        except (OSError, ValueError) as error:
            raise ConfigError([f"{file}: cannot be used as a known_hosts file: {error}"]) from error
        match = known.match(alias or host, "", None if port == 22 and not alias else port)
        self.keys: Sequence[asyncssh.SSHKey] = match[0]
        self._authorities: Sequence[asyncssh.SSHKey] = match[1]
        self._revoked: Sequence[asyncssh.SSHKey] = match[2]

    def known_hosts(
        self,
    ) -> tuple[list[asyncssh.SSHKey], list[asyncssh.SSHKey], list[asyncssh.SSHKey]]:
        """For asyncssh: trusted keys, trusted authorities, revoked keys."""
        return list(self.keys), list(self._authorities), list(self._revoked)

    def algorithms(self) -> list[str]:
        """Host key algorithms in the order to ask for: those of the pinned keys first.

        The others follow, so that a host that now has another kind of key shows it and is refused
        with both fingerprints, rather than with "no common algorithm".
        """
        wanted = get_default_certificate_algs() if self._authorities else []
        for key in self.keys:
            wanted += key.sig_algorithms
        wanted += get_default_public_key_algs()
        return list(dict.fromkeys(name.decode("ascii") for name in wanted))

    def mismatch(self, shown: asyncssh.SSHKey | None, node: str) -> HostKeyMismatch:
        """The error for a key that is not pinned."""
        seen = f"{_kind(shown)} {shown.get_fingerprint()}" if shown else "a key we cannot read"
        if shown is None and self._revoked:
            message = f"{self.label} shows a key that {self._file} marks as revoked."
        elif not self.keys and not self._authorities:
            message = (
                f"the host key of {self.label} is unknown: it shows {seen}, and"
                f" {self._file or 'no known_hosts file'} has no key for it. Compare the"
                " fingerprint with the host's own, then run orch bootstrap, which pins it."
            )
        else:
            pinned = ", ".join(f"{_kind(key)} {key.get_fingerprint()}" for key in self.keys)
            message = (
                f"the host key of {self.label} has changed: it shows {seen}; pinned in"
                f" {self._file} is {pinned or 'a certificate authority that did not sign it'}."
                " Somebody may be listening in. If the host was set up anew, remove its line from"
                " that file and run orch bootstrap, which shows and pins the new key."
            )
        return HostKeyMismatch(message, node=node, operation="verify the host key")


def _kind(key: asyncssh.SSHKey) -> str:
    return key.get_algorithm()
