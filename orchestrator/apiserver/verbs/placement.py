"""GET pods/NAME/placement: why a pod is where it is, or why it waits. `orch explain` shows it.

Made when it is asked for; asks the scheduler, and changes nothing. Who may not list nodes is told
the reasons and how many hosts there are for each, and no names but of the pod's own hosts.
"""

from typing import Final

import msgspec

from orchestrator.api.rbac.rules import Attributes
from orchestrator.api.schema.placement import API_VERSION, KIND
from orchestrator.apiserver.answers import Answer, object_answer
from orchestrator.apiserver.negotiation import answer_format
from orchestrator.apiserver.paths import ObjectPath
from orchestrator.apiserver.request import Request
from orchestrator.apiserver.services import Services
from orchestrator.apiserver.verbs.read import key_of
from orchestrator.kit.errors import ServiceUnavailable
from orchestrator.reconcile.statuses import conditions_of, find_condition
from orchestrator.scheduler.placement import Comparison, Explanation
from orchestrator.store.objects import Document, StoredObject

_encode: Final = msgspec.json.Encoder().encode
_LIST_NODES: Final = Attributes(verb="list", group="", resource="nodes")


async def get_placement(services: Services, request: Request, path: ObjectPath) -> Answer:
    """The placement of one pod.

    Raises:
        NotFound: no such pod.
        ServiceUnavailable: there is no scheduler here.
    """
    wanted = answer_format(request.header(b"accept"))
    item = services.registry.get(key_of(path))
    if services.explainer is None:
        raise ServiceUnavailable("no scheduler runs here that could tell")
    named = services.authorizer.allows(request.identity, _LIST_NODES)
    found = services.explainer.explain(item)
    return object_answer(_encode(document(item, found, named=named)), wanted)


def document(item: StoredObject, found: Explanation, *, named: bool) -> Document:
    """An explanation as a PodPlacement.

    Args:
        item: the pod.
        found: see there.
        named: whether hosts are named.
    """
    scheduled = find_condition(conditions_of(item), "PodScheduled") or {}
    made: Document = {
        "kind": KIND,
        "apiVersion": API_VERSION,
        "metadata": {"name": item.key.name, "namespace": item.key.namespace, "uid": item.uid},
        "state": found.state,
        "summary": found.summary if named else _unnamed(found),
        "node": found.node,
        "nominatedNode": found.nominated,
        "waitsFor": list(found.waits_for),
        "profile": found.profile,
        "decided": {
            "message": scheduled.get("message", "") if named else "",
            "time": scheduled.get("lastTransitionTime", ""),
        },
    }
    if found.comparison is not None:
        made["comparison"] = _comparison(found.comparison, named=named)
    return made


def _comparison(found: Comparison, *, named: bool) -> Document:
    return {
        "hosts": found.hosts,
        "feasible": found.feasible,
        "takeTurns": found.turns,
        "candidates": [
            {
                "node": one.node,
                "points": one.points / 100,
                "scores": {name: score / 100 for name, score in one.scores.items()},
            }
            for one in (found.candidates if named else ())
        ],
        "excluded": [
            {
                "reason": one.reason,
                "detail": one.detail,
                "plugin": one.plugin,
                "count": len(one.nodes),
                "nodes": list(one.nodes) if named else [],
            }
            for one in found.excluded
        ],
    }


def _unnamed(found: Explanation) -> str:
    """The summary without names of other hosts."""
    compared = found.comparison
    if compared is None or not compared.feasible:
        return found.summary
    words = f"fits on {compared.feasible} of {compared.hosts} hosts"
    return "; ".join([words, *(f"waits for {what}" for what in found.waits_for)])
