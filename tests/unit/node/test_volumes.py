"""Volumes: what is written on the host, and what containers see of it."""

import base64
import io
import tarfile
from typing import Any

import pytest

from orchestrator.api.types.config import ConfigMap, Secret
from orchestrator.node.environment import ConfigMissing, Sources
from orchestrator.node.references import volume_sources
from orchestrator.node.volumes import (
    Roots,
    engine_volume,
    mounts,
    pod_folder,
    scratch_tar,
    scratch_volumes,
    trees,
)
from tests.unit.node.objects import UID, named, one, pod

CONFIG = ConfigMap(data={"a.conf": "A"}, binary_data={"b.bin": base64.b64encode(b"\0B").decode()})
SECRET = Secret(data={"key": base64.b64encode(b"K").decode()})
SOURCES = Sources(
    config_map=lambda name: CONFIG if name == "settings" else None,
    secret=lambda name: SECRET if name == "keys" else None,
    allocatable={},
    host_ip="",
)
ROOTS = Roots("c1", "/run/orch/files", "/var/lib/docker")
FOLDER = f"/run/orch/files/pods/{UID}/volumes"


def written(volume: dict[str, Any], **spec: Any) -> dict[str, tuple[bytes, int]]:
    """Content and mode by file name."""
    (tree,) = trees(pod(volumes=[{"name": "v", **volume}], **spec), SOURCES)
    assert tree.payload()["path"] == f"{pod_folder(UID)}/volumes/v"
    return {p: (base64.b64decode(f["data"]), f["mode"]) for p, f in tree.files.items()}


def mounted(volume: dict[str, Any], **mount: Any) -> Any:
    """(mounts, binds) of one mount at /m."""
    where = {"name": "v", "mountPath": "/m", **mount}
    of = pod(one(volumeMounts=[where]), volumes=[{"name": "v", **volume}])
    return mounts(of, named(of, "app"), ROOTS)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param({}, {"a.conf": (b"A", 0o644), "b.bin": (b"\0B", 0o644)}, id="all of it"),
        pytest.param(
            {"defaultMode": 0o600}, {"a.conf": (b"A", 0o600), "b.bin": (b"\0B", 0o600)}, id="mode"
        ),
        pytest.param(
            {"items": [{"key": "a.conf", "path": "x/y", "mode": 0o400}]},
            {"x/y": (b"A", 0o400)},
            id="chosen keys",
        ),
        pytest.param(
            {"items": [{"key": "none", "path": "x"}], "optional": True},
            {},
            id="a key may lack",
        ),
        pytest.param({"name": "none", "optional": True}, {}, id="a source may lack"),
    ],
)
def test_files_of_a_config_map(source, expected):
    assert written({"configMap": {"name": "settings", **source}}) == expected


def test_files_of_a_secret():
    assert written({"secret": {"secretName": "keys", "defaultMode": 0o400}}) == {
        "key": (b"K", 0o400)
    }


def test_the_pods_group_can_read_what_is_its_own():
    kind = {"secret": {"secretName": "keys", "defaultMode": 0o400}}
    of = {"securityContext": {"fsGroup": 2000}}
    assert written(kind, **of) == {"key": (b"K", 0o440)}
    (tree,) = trees(pod(volumes=[{"name": "v", **kind}], **of), SOURCES)
    assert tree.payload()["gid"] == 2000


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        pytest.param({"configMap": {"name": "none"}}, 'configmap "none" not found'),
        pytest.param({"secret": {"secretName": "none"}}, 'secret "none" not found'),
        pytest.param(
            {"configMap": {"name": "settings", "items": [{"key": "k", "path": "k"}]}},
            "references non-existent config key: k",
        ),
        pytest.param(
            {"secret": {"secretName": "keys", "items": [{"key": "k", "path": "k"}]}},
            "references non-existent secret key: k",
        ),
    ],
    ids=["no config map", "no secret", "no key", "no secret key"],
)
def test_what_is_missing_is_named(volume, message):
    with pytest.raises(ConfigMissing) as caught:
        written(volume)
    assert message in str(caught.value)


def test_empty_folders_are_in_memory_or_on_the_engines_disk():
    of = pod(
        one(),
        volumes=[
            {"name": "fast", "emptyDir": {"medium": "Memory"}},
            {"name": "disk", "emptyDir": {}},
        ],
        securityContext={"fsGroup": 9},
    )
    (tree,) = trees(of, SOURCES)
    assert tree.payload() == {"path": f"pods/{UID}/volumes/fast", "mode": 0o777, "gid": 9}
    assert scratch_volumes(of) == ["disk"]
    with tarfile.open(fileobj=io.BytesIO(scratch_tar(of))) as tar:
        (entry,) = tar.getmembers()
    assert (entry.name, entry.gid, entry.mode, entry.isdir()) == ("disk", 9, 0o2777, True)


# ---------------------------------------------------------------- mounts


def bind(source: str, *, read_only: bool = False) -> dict[str, Any]:
    return {"Type": "bind", "Source": source, "Target": "/m", "ReadOnly": read_only}


@pytest.mark.parametrize(
    ("volume", "mount", "expected"),
    [
        pytest.param(
            {"configMap": {"name": "settings"}},
            {},
            bind(f"{FOLDER}/v", read_only=True),
            id="config",
        ),
        pytest.param(
            {"secret": {"secretName": "keys"}},
            {"subPath": "key"},
            bind(f"{FOLDER}/v/key", read_only=True),
            id="one file of a secret",
        ),
        pytest.param({"emptyDir": {"medium": "Memory"}}, {}, bind(f"{FOLDER}/v"), id="in memory"),
        pytest.param(
            {"hostPath": {"path": "/data", "type": "Directory"}},
            {"subPath": "/x/", "readOnly": True},
            bind("/data/x", read_only=True),
            id="a path that must be there",
        ),
    ],
)
def test_binds_of_what_is_there(volume, mount, expected):
    assert mounted(volume, **mount) == ([expected], [])


@pytest.mark.parametrize("kind", ["", "DirectoryOrCreate"])
def test_host_paths_that_may_have_to_be_made(kind):
    volume = {"hostPath": {"path": "/data", "type": kind}}
    assert mounted(volume) == ([], ["/data:/m"])
    assert mounted(volume, readOnly=True) == ([], ["/data:/m:ro"])


def test_an_empty_folder_on_disk_is_a_volume_of_the_engine():
    ((mount,), binds) = mounted({"emptyDir": {}}, readOnly=True)
    assert binds == []
    assert (mount["Type"], mount["Source"]) == ("volume", engine_volume(UID, "v"))
    assert (mount["Target"], mount["ReadOnly"]) == ("/m", True)
    below = mounted({"emptyDir": {}}, subPath="x")
    assert below == ([], [f"/var/lib/docker/volumes/{engine_volume(UID, 'v')}/_data/x:/m"])


def test_which_objects_fill_volumes():
    of = pod(
        volumes=[
            {"name": "a", "configMap": {"name": "settings"}},
            {"name": "b", "secret": {"secretName": "keys"}},
            {"name": "c", "emptyDir": {}},
        ]
    )
    assert volume_sources(of) == {("configmaps", "settings"), ("secrets", "keys")}
