"""What nodes and pods use, as metrics.k8s.io/v1beta1 shows it: made when it is asked for.

Source: Kubernetes, "Resource metrics pipeline"; k8s.io/metrics.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from orchestrator.api.amounts import Amount
from orchestrator.api.fields import FieldSelector
from orchestrator.api.resources import Resource
from orchestrator.apiserver.answers import Answer, object_answer, to_yaml
from orchestrator.apiserver.forms import ListMeta, include_object, list_parts, rendered_object
from orchestrator.apiserver.negotiation import answer_format
from orchestrator.apiserver.paths import ObjectPath
from orchestrator.apiserver.request import Request
from orchestrator.apiserver.selectors import read_filter
from orchestrator.apiserver.services import Services
from orchestrator.kit.clock import rfc3339
from orchestrator.kit.errors import NotFound
from orchestrator.kit.ids import ObjectKey, Revision
from orchestrator.reconcile.usage import NodeUsage, PodUsage, Usage
from orchestrator.store.objects import Document, StoredObject

_NEVER_STORED: Final = Revision(0)
_encode: Final = msgspec.json.Encoder().encode


async def get(services: Services, request: Request, path: ObjectPath) -> Answer:
    """The metrics of one node or pod.

    Raises:
        NotFound: there is no such object, or nothing recent is known of it.
    """
    wanted = answer_format(request.header(b"accept"))
    include = include_object(request.query.text("includeObject"))
    owner = services.store.get(ObjectKey(path.resource.plural, path.namespace, path.name))
    found = _measured(services, path.resource, owner) if owner is not None else None
    if found is None:
        raise _unknown(path)
    data = rendered_object(path.resource, found, wanted, include, services.clock.wall())
    return object_answer(data, wanted)


async def list_usage(services: Services, request: Request, path: ObjectPath) -> Answer:
    """The metrics of those nodes or pods of which something recent is known.

    Raises:
        BadRequest: a selector or parameter that cannot be read.
    """
    wanted = answer_format(request.header(b"accept"))
    include = include_object(request.query.text("includeObject"))
    chosen = read_filter(request.query, path.resource)
    page = services.registry.list(path.resource.plural, path.namespace, labels=chosen.labels)
    items = list(_all(services, path.resource, page.items, chosen.fields))
    meta, now_s = ListMeta(page.revision), services.clock.wall()
    body = b"".join(list_parts(path.resource, items, meta, wanted, include, now_s))
    if wanted.encoding == "yaml":
        body = to_yaml(body)
    return Answer(body, content_type=wanted.content_type)


def _all(
    services: Services,
    resource: Resource,
    owners: Iterable[StoredObject],
    fields: FieldSelector | None,
) -> Iterable[StoredObject]:
    for owner in owners:
        found = _measured(services, resource, owner)
        if found is not None and (fields is None or fields.matches(found.field)):
            yield found


def _measured(services: Services, resource: Resource, owner: StoredObject) -> StoredObject | None:
    meta: Document = {"name": owner.key.name}
    if owner.key.namespace:
        meta["namespace"] = owner.key.namespace
    meta["creationTimestamp"] = rfc3339(services.clock.wall())
    if owner.doc["metadata"].get("labels"):
        meta["labels"] = owner.doc["metadata"]["labels"]
    measured: NodeUsage | PodUsage | None
    if resource.namespaced:
        measured = services.usage.pod_usage(owner)
    else:
        measured = services.usage.node_usage(owner.key.name)
    if measured is None:
        return None
    document = {
        "kind": resource.kind,
        "apiVersion": resource.api_version,
        "metadata": meta,
        "timestamp": rfc3339(measured.at_s),
        "window": duration_text(measured.window_s),
        **_used(measured),
    }
    key = ObjectKey(resource.resource, owner.key.namespace, owner.key.name)
    return StoredObject(key, _NEVER_STORED, _encode(document))


def _used(measured: NodeUsage | PodUsage) -> Document:
    if isinstance(measured, NodeUsage):
        return {"usage": _quantities(measured.usage)}
    used = measured.containers.items()
    return {"containers": [{"name": name, "usage": _quantities(one)} for name, one in used]}


def _quantities(usage: Usage) -> dict[str, Any]:
    return {
        "cpu": str(Amount(usage.cpu_nanocores)),
        "memory": str(Amount(usage.memory_bytes * 10**9, "binary")),
    }


def duration_text(seconds: float) -> str:
    """A length of time as Go writes it: "15.013s", "1m0.5s"."""
    minutes, rest = divmod(round(seconds, 3), 60)
    text = f"{rest:.3f}".rstrip("0").rstrip(".") + "s"
    return f"{int(minutes)}m{text}" if minutes else text


def _unknown(path: ObjectPath) -> NotFound:
    kind = path.resource.kind.lower()
    name = f"{path.namespace}/{path.name}" if path.namespace else path.name
    return NotFound(
        f'{kind}.{path.resource.group} "{name}" not found',
        name=name,
        group=path.resource.group,
        kind=kind,
    )
