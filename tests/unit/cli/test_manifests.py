import json
from pathlib import Path

import pytest

from orchestrator.cli.manifests import load_manifests
from orchestrator.kit.errors import ConfigError

GOOD = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: b}
"""


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def test_documents_know_their_file_and_line(tmp_path: Path) -> None:
    name = write(tmp_path, "a.yaml", GOOD)
    first, second = load_manifests((name,))
    assert (first.name, first.place) == ("a", f"{name}:1")
    assert (second.resource.kind, second.place) == ("Deployment", f"{name}:5")


def test_folders_are_read_in_order_and_lists_are_unrolled(tmp_path: Path) -> None:
    secret = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "s"}}
    listed = {"kind": "List", "apiVersion": "v1", "items": [secret]}
    write(tmp_path, "2.json", json.dumps(listed))
    write(tmp_path, "1.yaml", GOOD)
    write(tmp_path, "notes.txt", "no manifest")
    assert [m.name for m in load_manifests((str(tmp_path),))] == ["a", "b", "s"]


def test_all_faults_are_reported_at_once_with_their_place(tmp_path: Path) -> None:
    bad = write(
        tmp_path,
        "bad.yaml",
        "apiVersion: v1\nkind: Deployment\nmetadata: {name: x}\n---\nkind: Deploymnt\n"
        "apiVersion: apps/v1\nmetadata: {name: y}\n---\nkind: Pod\napiVersion: v1\n---\n- 1\n",
    )
    broken = write(tmp_path, "broken.yaml", "a: [1\nb: 2\n")
    with pytest.raises(ConfigError) as caught:
        load_manifests((bad, broken, str(tmp_path / "missing.yaml")))
    problems = caught.value.problems
    assert (
        f"{bad}:1: apiVersion: 'v1' has no kind 'Deployment'; use apiVersion: apps/v1" in problems
    )
    assert f"{bad}:5: kind: 'Deploymnt' is not served here; did you mean Deployment?" in problems
    assert any(p.startswith(f"{bad}:9: metadata.name: missing") for p in problems)
    assert f"{bad}:12: an object is a mapping, this is a list" in problems
    assert any(p.startswith(f"{broken}:2:") and "not YAML" in p for p in problems)
    assert any(p.endswith("missing.yaml: no such file") for p in problems)
