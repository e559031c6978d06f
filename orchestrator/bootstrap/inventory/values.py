"""Checks of single values: what is wrong with one, and what would be right; pure.

Every check returns "" when the value is right, else "what is wrong; what would be right".
Sources: Kubernetes object names, labels and taints; RFC 1123 for host names.
"""

import ipaddress
import re
from collections.abc import Callable
from typing import Final

from orchestrator.bootstrap.inventory.model import InventoryTaint

Check = Callable[[str], str]
"""A check as above."""

EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")
RESERVED_LABELS: Final = frozenset({
    "kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch",
})  # fmt: skip

_QUANTITY: Final = {
    "cpu": re.compile(r"(\d+(?:\.\d+)?)m?"),
    "memory": re.compile(r"(\d+(?:\.\d+)?)(?:[kMGTPE]|[KMGTPE]i)?"),
}
_LABEL_DNS = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL_DNS}(\.{_LABEL_DNS})*")
_HOST = re.compile(
    r"[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?)*\.?"
)
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_USER = re.compile(r"[A-Za-z0-9_][-A-Za-z0-9_.@\\+]*\$?")


def check_node_name(name: str) -> str:
    """A Node's name: DNS-1123 subdomain, at most 63 characters (it is also a label's value)."""
    if _NAME.fullmatch(name) and len(name) <= 63:
        return ""
    better = re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip("-.")[:63]
    hint = f", for example {better!r}" if better and better != name else ""
    return (
        f"{name!r} is no name for a Node; use at most 63 of a-z, 0-9, '-' and '.', beginning and "
        f"ending with a letter or digit{hint}"
    )


def node_name(text: str) -> str:
    """The name for a Node that is nearest to a name from elsewhere: Web_1 becomes web-1."""
    return text.lower().replace("_", "-")


def check_host(host: str) -> str:
    """A host name or an IP address."""
    if is_address(host):
        return ""
    if re.fullmatch(r"[0-9.]+", host):
        return f"{host!r} is no IP address; write four numbers of 0 to 255, as in 203.0.113.10"
    if len(host) <= 253 and _HOST.fullmatch(host):
        return ""
    if "@" in host or re.fullmatch(r".*:\d+", host):
        return f"{host!r} is no host name; keep user and port in their own keys, user: and port:"
    return f"{host!r} is no host name; write one like web1.example.com, or an IP address"


def is_address(host: str) -> bool:
    """Whether this is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def check_user(user: str) -> str:
    """A login name."""
    return "" if _USER.fullmatch(user) else f"{user!r} is no login name; write one like ops"


def check_label_key(key: str) -> str:
    """A label's key: an optional DNS prefix, '/', a name of at most 63 characters."""
    prefix, slash, name = key.rpartition("/")
    bad_prefix = slash and not (len(prefix) <= 253 and _NAME.fullmatch(prefix))
    if bad_prefix or len(name) > 63 or not _QUALIFIED.fullmatch(name):
        return (
            f"{key!r} is no label key; use at most 63 of letters, digits, '-', '_' and '.', after "
            "an optional prefix like example.com/"
        )
    return ""


def check_label_value(value: str) -> str:
    """A label's value: empty or at most 63 characters."""
    if not value or (len(value) <= 63 and _QUALIFIED.fullmatch(value)):
        return ""
    return f"{value!r} is no label value; use at most 63 of letters, digits, '-', '_' and '.'"


def check_quantity(resource: str, text: str) -> str:
    """A quantity of "cpu" or "memory" that is more than zero."""
    examples = "3, 1.5 or 500m" if resource == "cpu" else "6Gi, 512Mi or 8G"
    match = _QUANTITY[resource].fullmatch(text)
    if match is None:
        return f"{text!r} is no quantity of {resource}; write one like {examples}"
    if not float(match[1]):
        return f"{text!r} is not more than zero; write one like {examples}"
    return ""


def parse_taint(text: str) -> InventoryTaint | str:
    """KEY=VALUE:EFFECT or KEY:EFFECT; what is wrong when it is neither."""
    head, colon, effect = text.rpartition(":")
    key, _, value = head.partition("=")
    if not colon or effect not in EFFECTS:
        near = next((e for e in EFFECTS if e.lower() == effect.lower()), "NoSchedule")
        shown = f"{head or text}:{near}" if (head or text) else f"dedicated=db:{near}"
        return f"{text!r} is no taint; write KEY=VALUE:EFFECT with {', '.join(EFFECTS)}: {shown!r}"
    problem = check_label_key(key) or check_label_value(value)
    if problem:
        return f"{text!r} is no taint: {problem}"
    return InventoryTaint(key, value, effect)


def check_jump(text: str) -> str:
    """Hops "user@host:port", comma-separated; user and port optional."""
    for hop in text.split(","):
        user, at, rest = hop.strip().rpartition("@")
        host, port = split_port(rest)
        port_bad = port and not (port.isdigit() and 1 <= int(port) <= 65535)
        if check_host(host) or port_bad or (at and check_user(user)):
            return f"{hop.strip()!r} is no hop; write user@host or user@host:port"
    return ""


def split_port(text: str) -> tuple[str, str]:
    """HOST, HOST:PORT, [V6] or [V6]:PORT into host and port ("" when none)."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, rest.removeprefix(":")
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, port
    return text, ""
