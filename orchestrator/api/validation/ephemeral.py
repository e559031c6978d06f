"""Ephemeral containers, which are added to a pod that is there already, and never taken away.

Source: Kubernetes pkg/apis/core/validation (validateEphemeralContainers,
ValidatePodEphemeralContainersUpdate).
"""

from typing import Any, Final

from orchestrator.api.validation.collector import Faults
from orchestrator.api.validation.container import PodContext, validate_container

Document = dict[str, Any]

_NOT_FOR_THEM: Final = (
    "ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resources",
    "resizePolicy", "restartPolicy",
)  # fmt: skip


def validate_absent(faults: Faults, document: Document) -> None:
    """A new Pod has none."""
    if (document.get("spec") or {}).get("ephemeralContainers"):
        faults.forbidden("spec.ephemeralContainers", "cannot be set on create")


def validate_ephemeral_update(faults: Faults, new: Document, old: Document) -> None:
    """The list may grow, and what is in it stays as it is."""
    after, before = new.get("spec") or {}, old.get("spec") or {}
    path = "spec.ephemeralContainers"
    wanted = {c.get("name"): c for c in after.get("ephemeralContainers") or ()}
    for container in before.get("ephemeralContainers") or ():
        name = container["name"]
        if name not in wanted:
            faults.forbidden(path, f'existing ephemeral containers "{name}" may not be removed\n')
        elif wanted[name] != container:
            faults.forbidden(path, f'existing ephemeral containers "{name}" may not be changed\n')
    _validate_all(faults, path, after)


def _validate_all(faults: Faults, path: str, spec: Document) -> None:
    others = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    volumes = frozenset(volume["name"] for volume in spec.get("volumes") or ())
    context = PodContext(volumes, names={c.get("name", "") for c in others})
    targets = set(context.names)
    for index, container in enumerate(spec.get("ephemeralContainers") or ()):
        here = f"{path}[{index}]"
        validate_container(faults, here, container, context)
        for field in _NOT_FOR_THEM:
            if container.get(field):
                faults.forbidden(f"{here}.{field}", "cannot be set for an Ephemeral Container")
        for number, mount in enumerate(container.get("volumeMounts") or ()):
            for field in ("subPath", "subPathExpr"):
                if mount.get(field):
                    text = "cannot be set for an Ephemeral Container"
                    faults.forbidden(f"{here}.volumeMounts[{number}].{field}", text)
        target = container.get("targetContainerName", "")
        if target and target not in targets:
            faults.not_found(f"{here}.targetContainerName", target)
