"""What names, labels, annotations and other metadata may look like.

The functions return what is wrong, in Kubernetes' words, as a list of sentences; empty is fine.
Source: Kubernetes API concepts, "Object Names and IDs", "Labels and Selectors"; RFC 1123, RFC 1035.
"""

import re
from functools import lru_cache
from typing import Final, Protocol

from orchestrator.api.resources import Resource

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED: Final = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LABEL_VALUE: Final = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_CONFIG_KEY: Final = re.compile(r"[-._a-zA-Z0-9]+")
_ENV_NAME: Final = re.compile(r"[ -<>-~]+")
_C_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PORT_NAME: Final = re.compile(r"[-a-z0-9]+")

_LABEL_WORDS: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_LABEL_1035_WORDS: Final = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_WORDS: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_QUALIFIED_WORDS: Final = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_LABEL_VALUE_WORDS: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  "
    "or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_CONFIG_KEY_WORDS: Final = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
    "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_ENV_WORDS: Final = (
    "a valid environment variable name must consist only of printable ASCII characters other than "
    "'='"
)
MOST_ANNOTATION_BYTES: Final = 256 * 1024
"""Keys and values of all annotations of one object together."""

SUFFIX_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
"""Characters of generated names: no vowels and nothing that looks like another one."""
SUFFIX_LENGTH: Final = 5
_MOST_BASE: Final = 63 - SUFFIX_LENGTH

_LABEL_NAMED: Final = frozenset({"namespaces"})
_SEGMENT_NAMED: Final = frozenset(
    f"{plural}.rbac.authorization.k8s.io"
    for plural in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
)
_LABEL_1035_NAMED: Final = frozenset({"services"})


class Chooser(Protocol):
    """The part of `random.Random` that generated names need."""

    def choices(self, population: str, *, k: int) -> list[str]:
        """`k` characters of `population`."""
        ...


def is_label(text: str) -> list[str]:
    """Faults of a DNS-1123 label: names of namespaces, containers, volumes."""
    return _length(text, 63) + ([] if _LABEL.fullmatch(text) else [_LABEL_WORDS])


def is_label_1035(text: str) -> list[str]:
    """Faults of a DNS-1035 label: names of services."""
    return _length(text, 63) + ([] if _LABEL_1035.fullmatch(text) else [_LABEL_1035_WORDS])


def is_subdomain(text: str) -> list[str]:
    """Faults of a DNS-1123 subdomain: names of most objects."""
    return _length(text, 253) + ([] if _SUBDOMAIN.fullmatch(text) else [_SUBDOMAIN_WORDS])


def is_path_segment(text: str) -> list[str]:
    """Faults of a name that only has to fit into a path: names of roles and bindings."""
    if text in {".", ".."}:
        return [f"may not be '{text}'"]
    return [f"may not contain '{character}'" for character in "/%" if character in text]


def is_qualified_name(text: str) -> list[str]:
    """Faults of "[prefix/]name": keys of labels and annotations, taints, finalizers."""
    return list(_qualified_faults(text))


@lru_cache(maxsize=4096)
def _qualified_faults(text: str) -> tuple[str, ...]:
    prefix, slash, name = text.rpartition("/")
    faults: list[str] = []
    if "/" in prefix:
        return (
            f"a qualified name {_QUALIFIED_WORDS} with an optional DNS subdomain prefix and '/' "
            "(e.g. 'example.com/MyName')",
        )
    if slash:
        if not prefix:
            faults.append("prefix part must be non-empty")
        else:
            faults += [f"prefix part {fault}" for fault in is_subdomain(prefix)]
    if not name:
        faults.append("name part must be non-empty")
    elif len(name) > 63:
        faults.append("name part must be no more than 63 bytes")
    if not _QUALIFIED.fullmatch(name):
        faults.append(f"name part {_QUALIFIED_WORDS}")
    return tuple(faults)


def is_label_value(text: str) -> list[str]:
    """Faults of a label's value."""
    return list(_label_value_faults(text))


@lru_cache(maxsize=4096)
def _label_value_faults(text: str) -> list[str]:
    return _length(text, 63) + ([] if _LABEL_VALUE.fullmatch(text) else [_LABEL_VALUE_WORDS])


def is_config_key(text: str) -> list[str]:
    """Faults of a key of a ConfigMap or Secret."""
    faults = _length(text, 253)
    if not _CONFIG_KEY.fullmatch(text):
        faults.append(_CONFIG_KEY_WORDS)
    elif text == ".":
        faults.append("must not be '.'")
    elif text.startswith(".."):
        faults.append("must not be '..'" if text == ".." else "must not start with '..'")
    return faults


def is_env_name(text: str) -> list[str]:
    """Faults of an environment variable's name."""
    return [] if _ENV_NAME.fullmatch(text) else [_ENV_WORDS]


def is_c_identifier(text: str) -> bool:
    """Whether a shell can use it as a variable's name."""
    return bool(_C_IDENTIFIER.fullmatch(text))


def is_port_name(text: str) -> list[str]:
    """Faults of a port's name (IANA service name)."""
    faults = [] if len(text) <= 15 else ["must be no more than 15 characters"]
    if not _PORT_NAME.fullmatch(text):
        faults.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not any("a" <= c <= "z" for c in text):
        faults.append("must contain at least one letter (a-z)")
    if "--" in text:
        faults.append("must not contain consecutive hyphens")
    if text[:1] == "-" or text[-1:] == "-":
        faults.append("must not begin or end with a hyphen")
    return faults


def name_faults(resource: Resource, name: str, *, prefix: bool = False) -> list[str]:
    """Faults of an object's name by the rules of its kind.

    Args:
        resource: the kind.
        name: `metadata.name`, or `metadata.generateName`.
        prefix: it is a generateName: a hyphen at its end is fine.
    """
    if prefix and name.endswith("-"):
        name = name.rstrip("-") + "a"
    if resource.resource in _SEGMENT_NAMED:
        return is_path_segment(name)
    if resource.resource in _LABEL_NAMED:
        return is_label(name)
    if resource.resource in _LABEL_1035_NAMED:
        return is_label_1035(name)
    return is_subdomain(name)


def generated_name(base: str, rng: Chooser) -> str:
    """`base` (cut to 58 characters) and five random characters."""
    return base[:_MOST_BASE] + "".join(rng.choices(SUFFIX_ALPHABET, k=SUFFIX_LENGTH))


def _length(text: str, most: int) -> list[str]:
    return [f"must be no more than {most} bytes"] if len(text.encode()) > most else []
