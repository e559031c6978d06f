"""Volumes of a pod: the files to write on the host, and the mounts of each container (pure).

configMap and secret volumes are trees that the shim writes into tmpfs and swaps atomically; an
emptyDir of medium Memory is a directory beside them, any other a named volume of the engine, on its
disk; hostPath is the host's own path. Source: Kubernetes API, core/v1 Volume; Docker Engine API,
Mount.
"""

import base64
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.api import names
from orchestrator.api.types.container import (
    ConfigMapVolume,
    Container,
    KeyToPath,
    SecretVolume,
    Volume,
)
from orchestrator.api.types.pod import Pod
from orchestrator.node.environment import ConfigMissing, Sources, decode_secret

_FILE_MODE = 0o644
_GROUP_READS = 0o440
_OPEN_DIR = 0o777
_GROUP_DIR = 0o2777


@dataclass(frozen=True, slots=True)
class Tree:
    """Files to write: the payload of `files.write_tree`, or of `files.make_dir` when empty_dir."""

    path: str
    files: Mapping[str, Mapping[str, Any]]
    empty_dir: bool = False
    group: int | None = None

    def payload(self) -> dict[str, Any]:
        """As the shim takes it."""
        owner = {"gid": self.group} if self.group is not None else {}
        if self.empty_dir:
            return {"path": self.path, "mode": _OPEN_DIR, **owner}
        return {"path": self.path, "files": dict(self.files), **owner}


def pod_folder(uid: str) -> str:
    """Folder of a pod's files, below the shim's root."""
    return f"pods/{uid}"


def volume_path(uid: str, volume: str) -> str:
    """Folder of one volume, below the shim's root."""
    return f"{pod_folder(uid)}/volumes/{volume}"


def trees(pod: Pod, sources: Sources) -> list[Tree]:
    """What has to be on the host before a container starts.

    Raises:
        ConfigMissing: a ConfigMap, Secret or key that is not optional is not there.
    """
    found: list[Tree] = []
    group = pod.spec.security_context.fs_group if pod.spec.security_context else None
    for volume in pod.spec.volumes:
        path = volume_path(pod.metadata.uid, volume.name)
        if volume.empty_dir is not None:
            if in_memory(volume):
                found.append(Tree(path, {}, empty_dir=True, group=group))
            continue
        content = _content(volume, sources, group)
        if content is not None:
            found.append(Tree(path, content, group=group))
        elif volume.host_path is None:
            raise ConfigMissing(f'volume "{volume.name}" is of a kind that is not supported')
    return found


def _content(
    volume: Volume, sources: Sources, group: int | None
) -> dict[str, Mapping[str, Any]] | None:
    if volume.config_map is not None:
        source = volume.config_map
        found = sources.config_map(source.name)
        if found is None and not source.optional:
            raise ConfigMissing(f'configmap "{source.name}" not found')
        data: dict[str, bytes] = {}
        if found is not None:
            data = {k: v.encode() for k, v in (found.data or {}).items()}
            data |= {k: base64.b64decode(v) for k, v in (found.binary_data or {}).items()}
        return _files(data, source, group, "config")
    if volume.secret is not None:
        chosen = volume.secret
        secret = sources.secret(chosen.secret_name)
        if secret is None and not chosen.optional:
            raise ConfigMissing(f'secret "{chosen.secret_name}" not found')
        data = decode_secret(secret) if secret is not None else {}
        return _files(data, chosen, group, "secret")
    return None


def _files(
    data: Mapping[str, bytes],
    source: ConfigMapVolume | SecretVolume,
    group: int | None,
    kind: str,
) -> dict[str, Mapping[str, Any]]:
    default = source.default_mode if source.default_mode is not None else _FILE_MODE
    chosen = source.items or tuple(KeyToPath(key=k, path=k) for k in sorted(data))
    found: dict[str, Mapping[str, Any]] = {}
    for item in chosen:
        if item.key not in data:
            if source.optional:
                continue
            raise ConfigMissing(f"references non-existent {kind} key: {item.key}")
        mode = item.mode if item.mode is not None else default
        if group is not None:  # as Kubernetes: what belongs to the pod's group it can read
            mode |= _GROUP_READS
        found[item.path] = {"data": base64.b64encode(data[item.key]).decode(), "mode": mode}
    return found


def in_memory(volume: Volume) -> bool:
    """Whether an emptyDir is to be in memory."""
    return volume.empty_dir is not None and volume.empty_dir.medium == "Memory"


def scratch_volumes(pod: Pod) -> list[str]:
    """Names of the pod's volumes that are named volumes of the engine."""
    return [v.name for v in pod.spec.volumes if v.empty_dir is not None and not in_memory(v)]


def engine_volume(uid: str, volume: str) -> str:
    """The engine's name for a pod's volume."""
    return f"orch_{uid}_{volume}"


def scratch_mount(cluster: str, uid: str, volume: str, target: str) -> dict[str, Any]:
    """The mount of a named volume, which makes it where it is not there yet."""
    labels = {names.CONTAINER_CLUSTER: cluster, names.CONTAINER_POD_UID: uid}
    return {
        "Type": "volume",
        "Source": engine_volume(uid, volume),
        "Target": target,
        "VolumeOptions": {"NoCopy": True, "Labels": labels},
    }


def scratch_tar(pod: Pod) -> bytes:
    """An archive that gives the pod's named volumes, mounted at their names, mode and group.

    Folders that a subPath names are made likewise: the engine would give them to root.
    """
    security = pod.spec.security_context
    group = security.fs_group if security is not None else None
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in [f for v in scratch_volumes(pod) for f in (v, *_sub_folders(pod, v))]:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, _OPEN_DIR
            if group is not None:
                entry.gid, entry.mode = group, _GROUP_DIR
            tar.addfile(entry)
    return out.getvalue()


def _sub_folders(pod: Pod, volume: str) -> list[str]:
    """Folders of a volume that some mount's subPath names, outer ones first."""
    found: set[str] = set()
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        for mount in container.volume_mounts:
            if mount.name == volume and mount.sub_path:
                parts = mount.sub_path.strip("/").split("/")
                found |= {"/".join([volume, *parts[: n + 1]]) for n in range(len(parts))}
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Roots:
    """Where files are on a host.

    Attributes:
        cluster: the cluster's id; labels volumes.
        files: folder of the shim's files.
        engine: folder of the engine's data.
    """

    cluster: str
    files: str
    engine: str


def mounts(pod: Pod, container: Container, roots: Roots) -> tuple[list[dict[str, Any]], list[str]]:
    """(`HostConfig.Mounts`, `HostConfig.Binds`) of a container.

    Binds are for host paths that may have to be made: the engine makes them itself then.
    """
    uid = pod.metadata.uid
    volumes = {v.name: v for v in pod.spec.volumes}
    made: list[dict[str, Any]] = []
    binds: list[str] = []
    for mount in container.volume_mounts:
        volume = volumes[mount.name]
        below = f"/{mount.sub_path.strip('/')}" if mount.sub_path else ""
        if volume.host_path is not None:
            source = volume.host_path.path + below
            if volume.host_path.type in {"", "DirectoryOrCreate"}:
                mode = ":ro" if mount.read_only else ""
                binds.append(f"{source}:{mount.mount_path}{mode}")
                continue
        elif volume.empty_dir is not None and not in_memory(volume):
            if below:
                data = f"{roots.engine}/volumes/{engine_volume(uid, volume.name)}/_data"
                binds.append(f"{data}{below}:{mount.mount_path}{':ro' * mount.read_only}")
            else:
                made.append(
                    scratch_mount(roots.cluster, uid, volume.name, mount.mount_path)
                    | {"ReadOnly": mount.read_only}
                )
            continue
        else:
            source = f"{roots.files}/{volume_path(uid, volume.name)}{below}"
        config = volume.config_map is not None or volume.secret is not None
        made.append(
            {
                "Type": "bind",
                "Source": source,
                "Target": mount.mount_path,
                "ReadOnly": mount.read_only or config,
            }
        )
    return made, binds
