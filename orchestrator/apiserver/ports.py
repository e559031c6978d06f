"""Binding the API server's port, and saying who has it when it is taken.

Source: proc(5), /proc/net/tcp and /proc/PID/fd.
"""

import errno
import socket
from pathlib import Path
from typing import Final

from orchestrator.kit.errors import ConfigError

_BACKLOG: Final = 1024
_LISTEN_STATE: Final = "0A"


def bind(host: str, port: int) -> socket.socket:
    """A listening TCP socket.

    Args:
        host: address or name; "" for every address.
        port: 0 picks a free one.

    Raises:
        ConfigError: taken (says by which process), not permitted, or no such address here.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise ConfigError([f"API server: host {host!r}: {error.strerror}"]) from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise ConfigError([_explain(error, host, port)]) from error
    return listener


def _explain(error: OSError, host: str, port: int) -> str:
    where = f"API server: {host or '*'}:{port}"
    if error.errno == errno.EADDRINUSE:
        owner = who_listens(port)
        by = f" by {owner}" if owner else ""
        return f"{where}: address already in use{by}; stop it or choose another port"
    if error.errno == errno.EACCES:
        return f"{where}: permission denied; ports below 1024 need privileges"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{where}: this machine has no such address"
    return f"{where}: {error.strerror}"


def who_listens(port: int, proc: Path = Path("/proc")) -> str:
    """Name and process id of who listens on a TCP port ("haproxy (pid 412)"); "" if unknown."""
    inodes = _listening_inodes(port, proc)
    if not inodes:
        return ""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for folder in proc.iterdir():
        if folder.name.isdigit() and _holds(folder, wanted):
            try:
                name = (folder / "comm").read_text().strip()
            except OSError:
                continue
            return f"{name} (pid {folder.name})"
    return ""


def _listening_inodes(port: int, proc: Path) -> set[str]:
    inodes: set[str] = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            local_port = int(fields[1].rpartition(":")[2], 16)
            if local_port == port and fields[3] == _LISTEN_STATE:
                inodes.add(fields[9])
    return inodes


def _holds(process: Path, sockets: set[str]) -> bool:
    try:
        return any(str(link.readlink()) in sockets for link in (process / "fd").iterdir())
    except OSError:
        return False
