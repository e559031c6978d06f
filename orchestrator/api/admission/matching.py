"""Whom a policy or a binding is about.

Source: admissionregistration.k8s.io/v1 MatchResources, NamedRuleWithOperations; Kubernetes docs,
"Matching requests: matchPolicy", "namespaceSelector", "objectSelector".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.api.admission.question import Document, Question
from orchestrator.api.labels import EVERYTHING, Selector, from_document
from orchestrator.api.resources import Resource

ALL: Final = "*"


@dataclass(frozen=True, slots=True)
class Rule:
    """One resource rule; all its lists are alternatives, "*" is everything.

    Attributes:
        operations: "CREATE", ...
        groups: API groups.
        versions: API versions.
        resources: (plural, subresource): "" is the resource itself.
        names: the only objects it holds for; empty for all.
        scope: "*", "Cluster" or "Namespaced".
    """

    operations: frozenset[str]
    groups: frozenset[str]
    versions: frozenset[str]
    resources: tuple[tuple[str, str], ...]
    names: frozenset[str]
    scope: str


@dataclass(frozen=True, slots=True)
class Constraints:
    """A policy's matchConstraints, or a binding's matchResources.

    Attributes:
        rules: one of them must hold; without any every request does.
        excluded: none of them may hold.
        namespaces: labels that the namespace must have.
        objects: labels that the object or the old one must have.
        equivalent: rules hold for other versions and groups of the same objects too.
    """

    rules: tuple[Rule, ...] = ()
    excluded: tuple[Rule, ...] = ()
    namespaces: Selector = EVERYTHING
    objects: Selector = EVERYTHING
    equivalent: bool = True


EVERY_REQUEST: Final = Constraints()


def constraints_of(document: Mapping[str, Any] | None) -> Constraints:
    """From the JSON form.

    Raises:
        ValueError: an operator of a selector that does not exist.
    """
    if not document:
        return EVERY_REQUEST
    return Constraints(
        rules=tuple(_rule(rule) for rule in document.get("resourceRules") or ()),
        excluded=tuple(_rule(rule) for rule in document.get("excludeResourceRules") or ()),
        namespaces=from_document(document.get("namespaceSelector") or {}),
        objects=from_document(document.get("objectSelector") or {}),
        equivalent=document.get("matchPolicy", "Equivalent") != "Exact",
    )


def matched(
    constraints: Constraints,
    question: Question,
    equivalents: Iterable[Resource],
    namespace: Document | None,
) -> Resource | None:
    """The row by which a request is matched; None when it is not.

    Args:
        constraints: of a policy or a binding.
        question: the request.
        equivalents: the other rows that serve the same objects.
        namespace: the Namespace that the request is in; None outside of any. One that is not
            there has no labels.
    """
    if not _namespace_fits(constraints.namespaces, question, namespace):
        return None
    if constraints.objects and not any(
        constraints.objects.matches(_labels(one))
        for one in (question.object, question.old)
        if one is not None
    ):
        return None
    rows = [question.resource]
    if constraints.equivalent:
        rows += [row for row in equivalents if row is not question.resource]
    if any(holds(rule, question, row) for rule in constraints.excluded for row in rows):
        return None
    if not constraints.rules:
        return question.resource
    for row in rows:
        if any(holds(rule, question, row) for rule in constraints.rules):
            return row
    return None


def holds(rule: Rule, question: Question, row: Resource) -> bool:
    """Whether a rule is about a request, when that is taken for one to another row."""
    return (
        _has(rule.operations, question.operation)
        and _has(rule.groups, row.group)
        and _has(rule.versions, row.version)
        and any(
            plural in {ALL, row.plural} and subresource in {ALL, question.subresource}
            for plural, subresource in rule.resources
        )
        and _in_scope(rule.scope, question)
        and (not rule.names or question.name in rule.names)
    )


def _rule(document: Mapping[str, Any]) -> Rule:
    return Rule(
        operations=frozenset(document.get("operations") or ()),
        groups=frozenset(document.get("apiGroups") or ()),
        versions=frozenset(document.get("apiVersions") or ()),
        resources=tuple(_split(text) for text in document.get("resources") or ()),
        names=frozenset(document.get("resourceNames") or ()),
        scope=document.get("scope") or ALL,
    )


def _split(text: str) -> tuple[str, str]:
    plural, _, subresource = text.partition("/")
    return plural, subresource


def _has(values: frozenset[str], wanted: str) -> bool:
    return wanted in values or ALL in values


def _in_scope(scope: str, question: Question) -> bool:
    if scope == ALL:
        return True
    is_inside = bool(question.namespace) and not question.is_namespace
    return is_inside if scope == "Namespaced" else not is_inside


def _namespace_fits(wanted: Selector, question: Question, namespace: Document | None) -> bool:
    """Objects outside of namespaces always fit; a Namespace is judged by its own labels."""
    if not wanted or not (question.namespace or question.is_namespace):
        return True
    if question.is_namespace and not question.subresource and question.object is not None:
        return wanted.matches(_labels(question.object))
    return wanted.matches(_labels(namespace or {}))


def _labels(document: Document) -> Mapping[str, str]:
    found: Mapping[str, str] = (document.get("metadata") or {}).get("labels") or {}
    return found
