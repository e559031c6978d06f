"""Pods of a Job as documents (pure). Source: Kubernetes concepts, "Completion mode"."""

import copy
from collections.abc import Sequence
from typing import Any, Final

from orchestrator.api.metadata import Chooser, generated_name
from orchestrator.controllers.job.census import FINALIZER, INDEX, INDEX_FAILURES
from orchestrator.reconcile import owners
from orchestrator.store.objects import Document, StoredObject

_VARIABLE: Final = "JOB_COMPLETION_INDEX"
_LONGEST_HOST: Final = 63


def pod_documents(
    item: StoredObject, wanted: Sequence[tuple[int | None, int]], rng: Chooser
) -> list[Document]:
    """New pods with names of their own.

    Args:
        item: the Job.
        wanted: for each pod its index (None without indexes), and how often that failed.
        rng: chooses the names.
    """
    made: list[Document] = []
    names: set[str] = set()
    for index, failures in wanted:
        prefix = f"{item.key.name}-" if index is None else f"{item.key.name}-{index}-"
        name = generated_name(prefix, rng)
        while name in names:
            name = generated_name(prefix, rng)
        names.add(name)
        made.append(_pod(item, name, prefix, index, failures))
    return made


def _pod(item: StoredObject, name: str, prefix: str, index: int | None, failures: int) -> Document:
    spec = item.doc["spec"]
    template = spec["template"]
    meta: Document = {
        "name": name,
        "generateName": prefix,
        "namespace": item.key.namespace,
        "ownerReferences": [owners.controller_reference(item)],
        "finalizers": [FINALIZER],
    }
    for field in ("labels", "annotations"):
        found = (template.get("metadata") or {}).get(field)
        if found:
            meta[field] = dict(found)
    pod_spec = template["spec"]
    if index is not None:
        meta["labels"] = {**meta.get("labels", {}), INDEX: str(index)}
        meta["annotations"] = {**meta.get("annotations", {}), INDEX: str(index)}
        if spec.get("backoffLimitPerIndex") is not None:
            meta["annotations"][INDEX_FAILURES] = str(failures)
        pod_spec = _indexed(pod_spec, f"{item.key.name}-{index}", index)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod_spec}


def _indexed(pod_spec: Document, host: str, index: int) -> Document:
    made: dict[str, Any] = copy.deepcopy(pod_spec)
    made["hostname"] = host[:_LONGEST_HOST].rstrip("-.")
    for container in (*made.get("initContainers", ()), *made["containers"]):
        variables = container.setdefault("env", [])
        if not any(variable.get("name") == _VARIABLE for variable in variables):
            variables.append({"name": _VARIABLE, "value": str(index)})
    return made
