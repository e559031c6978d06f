"""Why a Unix socket on a host could not be opened.

sshd answers "open failed" whether the socket is missing, may not be opened, nobody listens, or
forwarding is forbidden. One command on the host tells which (asked only after a failure).
"""

from typing import Final

PROBE: Final = """
import errno, os, socket, stat, sys
path = sys.argv[1]
try:
    mode = os.stat(path).st_mode
except PermissionError as error:
    sys.exit("denied")
except OSError as error:
    sys.exit("missing")
if not stat.S_ISSOCK(mode):
    sys.exit("no-socket")
try:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(3)
        probe.connect(path)
except PermissionError:
    sys.exit("denied")
except socket.timeout:
    sys.exit("busy")
except OSError as error:
    sys.exit("refused" if error.errno == errno.ECONNREFUSED else "os-error: %s" % error)
sys.exit("open")
"""
"""Tries to connect as the login user; the verdict is on standard error."""


def explain(verdict: str, path: str, user: str) -> str:
    """The reason in words, out of what `PROBE` said ("" when it could not be run)."""
    known = {
        "missing": f"{path} does not exist on the host; is the service that makes it running?",
        "denied": f"user {user} may not open {path} on the host; for Docker's socket, add the"
        f" user to its group: sudo usermod -aG docker {user}",
        "no-socket": f"{path} on the host is not a socket",
        "refused": f"nobody listens on {path} on the host: the service behind it has stopped",
        "busy": f"{path} on the host does not accept connections: the service behind it hangs",
        "open": f"sshd on the host does not forward Unix sockets, although {user} can open"
        f" {path}: set AllowStreamLocalForwarding yes, leave DisableForwarding off, and do not"
        " restrict the key in authorized_keys",
    }
    return known.get(verdict.strip(), f"sshd could not open {path} on the host {verdict}".strip())


def explain_tcp(reason: str, *, prohibited: bool) -> str:
    """The reason why sshd opened no TCP connection, in words that clients know."""
    if prohibited:
        return (
            "sshd on the host does not forward TCP connections: set AllowTcpForwarding yes, leave"
            " DisableForwarding off, and do not restrict the key in authorized_keys"
        )
    low = reason.lower()
    if not low or low in {"open failed", "connect failed", "connection failed"}:
        low = "connection refused"  # older sshd says no more, and it is what it nearly always is
    return f"connect: {low}"


def forwarding_is_off(verdict: str) -> bool:
    """Whether the socket is fine and sshd is what refuses."""
    return verdict.strip() == "open"
