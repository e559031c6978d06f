"""Whether somebody who hands out rules holds them: nobody may grant more than they have.

Source: Kubernetes documentation, "Privilege escalation prevention and bootstrapping".
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from orchestrator.api.rbac.grants import Grants
from orchestrator.api.rbac.rules import ALL, FULL_AUTHORITY, Attributes, PolicyRule, quoted

_MOST_SINGLE: Final = 20_000
"""Single rights that one set of rules may stand for; a larger product counts as not held."""


def uncovered(held: Iterable[PolicyRule], wanted: Sequence[PolicyRule]) -> list[PolicyRule]:
    """Those of the wanted rights that the held rules do not cover.

    Returns:
        Rules that each name one group and resource (or one path) and the verbs missing for it.
    """
    owned = tuple(held)
    grants = Grants(owned)
    if _is_full(grants):
        return []
    if sum(_size(rule) for rule in wanted) > _MOST_SINGLE:
        return list(wanted)
    missing: dict[tuple[str, str, str, str], list[str]] = {}
    for rule in wanted:
        for group, resource, name, path, verb in _single(rule):
            if path:
                covered = grants.allow_path(verb, path)
            else:
                plural, _, sub = resource.partition("/")
                wish = Attributes(verb, group, plural, sub, "", name)
                covered = grants.allow(wish, every_name=not rule.names)
            if not covered:
                missing.setdefault((group, resource, name, path), []).append(verb)
    return [_compact(place, verbs) for place, verbs in missing.items()]


def sentence(user: str, groups: Sequence[str], missing: Iterable[PolicyRule]) -> str:
    """Why a role may not be written or bound, in Kubernetes' words."""
    told = "\n".join(sorted({rule.text() for rule in missing}))
    return (
        f'user "{user}" (groups={quoted(groups)}) is attempting to grant RBAC permissions not '
        f"currently held:\n{told}"
    )


def _is_full(grants: Grants) -> bool:
    return grants.allow(Attributes(ALL, ALL, ALL)) and grants.allow_path(ALL, ALL)


def covers_everything(held: Iterable[PolicyRule]) -> bool:
    """Whether the rules are a cluster administrator's."""
    return not uncovered(held, FULL_AUTHORITY)


def _size(rule: PolicyRule) -> int:
    objects = len(rule.groups) * len(rule.resources) * max(1, len(rule.names))
    return len(rule.verbs) * (objects + len(rule.paths))


def _single(rule: PolicyRule) -> Iterator[tuple[str, str, str, str, str]]:
    """Group, resource, name, path and verb of every single right that a rule stands for."""
    for verb in rule.verbs:
        for group in rule.groups:
            for resource in rule.resources:
                for name in rule.names or ("",):
                    yield group, resource, name, "", verb
        for path in rule.paths:
            yield "", "", "", path, verb


def _compact(place: tuple[str, str, str, str], verbs: Iterable[str]) -> PolicyRule:
    group, resource, name, path = place
    known = tuple(dict.fromkeys(verbs))
    if path:
        return PolicyRule(verbs=known, paths=(path,))
    return PolicyRule(known, (group,), (resource,), (name,) if name else ())
