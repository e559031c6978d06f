"""Which pods a rule about other pods means: selectors, namespaces, topology. Pure.

Source: Kubernetes concepts, "Inter-pod affinity and anti-affinity", "Pod Topology Spread
Constraints"; KEP-3633 (matchLabelKeys and mismatchLabelKeys).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from orchestrator.api.labels import Requirement, Selector, from_view
from orchestrator.api.types.meta import LabelSelector

NamespaceLabels = Mapping[str, Mapping[str, str]]
"""Every namespace's labels by its name."""
Pair = tuple[str, str]
"""A label and its value."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """Some pods: by namespace and by label.

    Attributes:
        selector: of their labels; None matches no pod.
        namespaces: where they are.
        where: further namespaces, by their labels; an empty selector is all of them.
        leaving: whether pods that are being deleted count.
    """

    selector: Selector | None
    namespaces: frozenset[str] = frozenset()
    where: Selector | None = None
    leaving: bool = True

    def matches(self, namespace: str, labels: Mapping[str, str], known: NamespaceLabels) -> bool:
        """Whether a pod of this namespace with these labels is meant."""
        if self.selector is None:
            return False
        if namespace not in self.namespaces and (
            self.where is None or not self.where.matches(known.get(namespace))
        ):
            return False
        return self.selector.matches(labels)

    def pairs(self) -> frozenset[Pair] | None:
        """Labels of which every pod that is meant has one; None when it may have any."""
        if self.selector is None:
            return frozenset()
        for one in self.selector.requirements:
            if one.operator in {"=", "in"}:
                return frozenset((one.key, value) for value in one.values)
        return None


@dataclass(frozen=True, slots=True)
class Term:
    """One term of pod affinity or anti-affinity.

    Attributes:
        topology: the label of hosts whose equal values are one place.
        matcher: the pods that it is about.
        weight: of a preferred term, negative for anti-affinity; 0 of a required one.
    """

    topology: str
    matcher: Matcher
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Spread:
    """One topology spread constraint.

    Attributes:
        topology: the label of hosts whose equal values are one place.
        matcher: the pods that are counted.
        max_skew: how far the fullest place may be ahead of the emptiest.
        hard: `DoNotSchedule`; else it is a matter of scores.
        min_domains: with fewer places than this the emptiest counts as empty.
        honors_affinity: hosts that the pod's node affinity rules out are not counted.
        honors_taints: hosts whose taints the pod does not bear are not counted.
    """

    topology: str
    matcher: Matcher
    max_skew: int
    hard: bool
    min_domains: int = 1
    honors_affinity: bool = True
    honors_taints: bool = False


_HONOR: Final = "Honor"


def selector_of(doc: Mapping[str, Any] | None) -> Selector | None:
    """A LabelSelector as it is written; an empty one matches everything, a missing one nothing."""
    return None if doc is None else from_view(msgspec.convert(doc, LabelSelector))


def affinity_terms(
    spec: Mapping[str, Any], kind: str, namespace: str, labels: Mapping[str, str]
) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
    """The required and the preferred terms of `podAffinity` or `podAntiAffinity`.

    The preferred ones of anti-affinity have negative weights.
    """
    found = (spec.get("affinity") or {}).get(kind) or {}
    sign = -1 if kind == "podAntiAffinity" else 1
    required = found.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
    preferred = found.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    return (
        tuple(_term(doc, namespace, labels) for doc in required),
        tuple(
            replace(
                _term(doc["podAffinityTerm"], namespace, labels), weight=sign * int(doc["weight"])
            )
            for doc in preferred
        ),
    )


def _term(doc: Mapping[str, Any], namespace: str, labels: Mapping[str, str]) -> Term:
    names, where = doc.get("namespaces") or (), doc.get("namespaceSelector")
    own = (namespace,) if not names and where is None else names
    selector = _narrowed(
        selector_of(doc.get("labelSelector")),
        labels,
        doc.get("matchLabelKeys") or (),
        doc.get("mismatchLabelKeys") or (),
    )
    return Term(doc["topologyKey"], Matcher(selector, frozenset(own), selector_of(where)))


def spread_constraints(
    docs: Iterable[Mapping[str, Any]], namespace: str, labels: Mapping[str, str]
) -> tuple[Spread, ...]:
    """`topologySpreadConstraints` of a pod."""
    return tuple(
        Spread(
            topology=doc["topologyKey"],
            matcher=Matcher(
                _narrowed(
                    selector_of(doc.get("labelSelector")), labels, doc.get("matchLabelKeys") or ()
                ),
                frozenset({namespace}),
                leaving=False,
            ),
            max_skew=int(doc["maxSkew"]),
            hard=doc.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule",
            min_domains=int(doc.get("minDomains") or 1),
            honors_affinity=doc.get("nodeAffinityPolicy", _HONOR) == _HONOR,
            honors_taints=doc.get("nodeTaintsPolicy") == _HONOR,
        )
        for doc in docs
    )


def _narrowed(
    selector: Selector | None,
    labels: Mapping[str, str],
    same: Iterable[str],
    other: Iterable[str] = (),
) -> Selector | None:
    """The selector with the pod's own values of some labels; a label it lacks narrows nothing."""
    if selector is None:
        return None
    more = [Requirement(key, "in", frozenset({labels[key]})) for key in same if key in labels]
    more += [Requirement(key, "notin", frozenset({labels[key]})) for key in other if key in labels]
    return Selector((*selector.requirements, *more)) if more else selector
