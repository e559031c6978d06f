"""Formats of strings that schemas may ask for.

Others are known to nobody and are not checked, here as in Kubernetes; a warning says so when they
are defined. Source: kube-openapi strfmt; RFC 3339, RFC 1123, RFC 4648, RFC 4122.
"""

import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

_DATE_TIME: Final = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt ]"
    r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d|:60)?([.,]\d+)?([Zz]|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_DURATION: Final = re.compile(
    r"([+-]?((\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h))+|0"
    r"|(\d+)\s*(ns|us|\u00b5s|ms|s|sec|second|min|minute|m|h|hr|hour|d|day|w|week)s?)",
    re.ASCII,
)
_HOSTNAME: Final = re.compile(
    r"(?=.{1,253}\Z)([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)"
    r"(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?"
)
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_MAC: Final = re.compile(
    r"([0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5,7})|([0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}"
)
_COLOR: Final = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")


def _uuid(version: str = "[0-9A-Fa-f]") -> re.Pattern[str]:
    digit = "[0-9A-Fa-f]"
    return re.compile(
        f"{digit}{{8}}-?{digit}{{4}}-?{version}{digit}{{3}}-?{digit}{{4}}-?{digit}{{12}}"
    )


def _full(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.fullmatch(text) is not None


def _succeeds(read: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            read(text)
        except ValueError:
            return False
        return True

    return check


def _is_date(text: str) -> bool:
    return len(text) == 10 and _succeeds(date.fromisoformat)(text)


def _is_uri(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme) or text.startswith("/")


def _is_base64(text: str) -> bool:
    try:
        binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return False
    return True


def _is_cidr(text: str) -> bool:
    return "/" in text and _succeeds(ipaddress.ip_interface)(text)


_CHECKS: Final[Mapping[str, Callable[[str], bool]]] = MappingProxyType({
    "byte": _is_base64,
    "cidr": _is_cidr,
    "date": _is_date,
    "date-time": _full(_DATE_TIME),
    "datetime": _full(_DATE_TIME),
    "duration": _full(_DURATION),
    "email": _full(_EMAIL),
    "hexcolor": _full(_COLOR),
    "hostname": _full(_HOSTNAME),
    "ipv4": _succeeds(ipaddress.IPv4Address),
    "ipv6": _succeeds(ipaddress.IPv6Address),
    "mac": _full(_MAC),
    "password": lambda _text: True,
    "uri": _is_uri,
    "uuid": _full(_uuid()),
    "uuid3": _full(_uuid("3")),
    "uuid4": _full(_uuid("4")),
    "uuid5": _full(_uuid("5")),
})  # fmt: skip
_LONG: Final = frozenset({"byte", "password", "uri"})
_MOST: Final = 2048
"""Characters of a text of the other formats: more cannot be one, and is not worth the look."""
_OF_NUMBERS: Final = frozenset({"int32", "int64", "float", "double"})


def is_known(name: str) -> bool:
    """Whether values are checked against a format of this name."""
    return name in _CHECKS or name in _OF_NUMBERS


def is_of(name: str, text: str) -> bool:
    """Whether a string has a format; True for formats that nobody knows."""
    check = _CHECKS.get(name)
    if check is None:
        return True
    return (name in _LONG or len(text) <= _MOST) and check(text)
