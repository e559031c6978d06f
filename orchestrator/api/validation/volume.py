"""Volumes of a pod. Source: Kubernetes pkg/apis/core/validation (ValidateVolumes)."""

from typing import Any, Final

from orchestrator.api import metadata
from orchestrator.api.validation.collector import Faults
from orchestrator.api.validation.container import check_quantity

Document = dict[str, Any]

_HOST_PATH_TYPES: Final = frozenset({
    "", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice",
    "BlockDevice",
})  # fmt: skip
_MEDIA: Final = ("", "Memory")


def validate_volumes(faults: Faults, path: str, volumes: Any) -> frozenset[str]:
    """All volumes of a pod; returns their names."""
    names: set[str] = set()
    for index, volume in enumerate(volumes):
        here = f"{path}[{index}]"
        name = volume.get("name", "")
        if not name:
            faults.required(f"{here}.name")
        else:
            faults.check_words(f"{here}.name", name, metadata.is_label(name))
            if name in names:
                faults.duplicate(f"{here}.name", name)
            names.add(name)
        _sources(faults, here, volume)
    return frozenset(names)


def _sources(faults: Faults, path: str, volume: Document) -> None:
    kinds = [kind for kind in volume if kind != "name"]
    for extra in kinds[1:]:
        faults.forbidden(f"{path}.{extra}", "may not specify more than 1 volume type")
    if "configMap" in volume:
        source = volume["configMap"]
        if not source.get("name"):
            faults.required(f"{path}.configMap.name")
        _files(faults, f"{path}.configMap", source)
    if "secret" in volume:
        source = volume["secret"]
        if not source.get("secretName"):
            faults.required(f"{path}.secret.secretName")
        _files(faults, f"{path}.secret", source)
    if "hostPath" in volume:
        _host_path(faults, f"{path}.hostPath", volume["hostPath"])
    if "emptyDir" in volume:
        source = volume["emptyDir"]
        medium = source.get("medium", "")
        if medium not in _MEDIA and not medium.startswith("HugePages"):
            faults.unsupported(f"{path}.emptyDir.medium", medium, _MEDIA)
        if source.get("sizeLimit") is not None:
            check_quantity(faults, f"{path}.emptyDir.sizeLimit", source["sizeLimit"])


def _files(faults: Faults, path: str, source: Document) -> None:
    _mode(faults, f"{path}.defaultMode", source.get("defaultMode"))
    seen: set[str] = set()
    for index, item in enumerate(source.get("items") or ()):
        here = f"{path}.items[{index}]"
        if not item.get("key"):
            faults.required(f"{here}.key")
        place = item.get("path", "")
        if not place:
            faults.required(f"{here}.path")
        elif place.startswith("/"):
            faults.invalid(f"{here}.path", place, "must be a relative path")
        elif ".." in place.split("/"):
            faults.invalid(f"{here}.path", place, "must not contain '..'")
        elif place in seen:
            faults.duplicate(f"{here}.path", place)
        seen.add(place)
        _mode(faults, f"{here}.mode", item.get("mode"))


def _mode(faults: Faults, path: str, mode: int | None) -> None:
    if mode is not None and not 0 <= mode <= 0o777:
        faults.invalid(path, mode, "must be a number between 0 and 0777 (octal), both inclusive")


def _host_path(faults: Faults, path: str, source: Document) -> None:
    place = source.get("path", "")
    if not place:
        faults.required(f"{path}.path")
    elif ".." in place.split("/"):
        faults.invalid(f"{path}.path", place, "must not contain '..'")
    kind = source.get("type", "")
    if kind not in _HOST_PATH_TYPES:
        faults.unsupported(f"{path}.type", kind, _HOST_PATH_TYPES)
