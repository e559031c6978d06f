import base64
import os
from pathlib import Path
from typing import Any

import pytest

from agentshim.files import FileTrees
from agentshim.wire import Failure


@pytest.fixture
def trees(tmp_path: Path) -> FileTrees:
    return FileTrees(str(tmp_path / "files"))


def tree(path: str = "pods/u/volumes/v", **files: str) -> dict[str, Any]:
    content = {
        name.replace("__", "/"): {"data": base64.b64encode(text.encode()).decode()}
        for name, text in files.items()
    }
    return {"path": path, "files": content}


def visible(place: str) -> dict[str, str]:
    """What a reader sees: names without the hidden versions, links followed."""
    found = {}
    for path in Path(place).iterdir():
        name = path.name
        if not name.startswith(".."):
            if path.is_dir():
                for inner in path.rglob("*"):
                    if inner.is_file():
                        found[f"{name}/{inner.relative_to(path)}"] = inner.read_text()
            else:
                found[name] = path.read_text()
    return found


def test_a_tree_is_what_was_given(trees: FileTrees) -> None:
    made = trees.write_tree(tree(a="1", sub__b="2", sub__c__d="3"))
    assert made["changed"]
    assert visible(made["path"]) == {"a": "1", "sub/b": "2", "sub/c/d": "3"}


def test_the_same_again_changes_nothing(trees: FileTrees) -> None:
    first = trees.write_tree(tree(a="1", sub__b="2"))
    version = Path(first["path"], "..data").readlink()
    assert not trees.write_tree(tree(a="1", sub__b="2"))["changed"]
    assert Path(first["path"], "..data").readlink() == version


@pytest.mark.parametrize(
    "after",
    [{"a": "new"}, {"b": "1"}, {}, {"a__x": "1"}, {"a": "1", "z": "2"}],
    ids=["content", "name", "empty", "file becomes directory", "one more"],
)
def test_a_change_leaves_nothing_of_the_old(trees: FileTrees, after: dict[str, str]) -> None:
    made = trees.write_tree(tree(a="1", sub__b="2"))
    assert trees.write_tree(tree(**after))["changed"]
    assert visible(made["path"]) == {k.replace("__", "/"): v for k, v in after.items()}
    hidden = [p.name for p in Path(made["path"]).iterdir() if p.name.startswith("..")]
    assert len(hidden) == 2
    assert not trees.write_tree(tree(**after))["changed"]


def test_an_open_directory_keeps_its_version(trees: FileTrees) -> None:
    made = trees.write_tree(tree(a="1"))
    with Path(made["path"], "a").open() as held:
        trees.write_tree(tree(a="2"))
        assert held.read() == "1"
    assert Path(made["path"], "a").read_text() == "2"


def test_modes(trees: FileTrees) -> None:
    given = tree(a="1")
    given["files"]["a"]["mode"] = 0o400
    given["dir_mode"] = 0o750
    made = trees.write_tree(given)
    assert Path(made["path"], "a").stat().st_mode & 0o7777 == 0o400
    assert Path(made["path"]).stat().st_mode & 0o7777 == 0o750
    given["files"]["a"]["mode"] = 0o444
    assert trees.write_tree(given)["changed"]
    assert Path(made["path"], "a").stat().st_mode & 0o7777 == 0o444
    assert not trees.write_tree(given)["changed"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_owners(trees: FileTrees) -> None:
    made = trees.write_tree({**tree(a="1"), "uid": 1234, "gid": 2345})
    found = Path(made["path"], "a").stat()
    assert (found.st_uid, found.st_gid) == (1234, 2345)
    assert not trees.write_tree({**tree(a="1"), "uid": 1234, "gid": 2345})["changed"]
    assert trees.write_tree({**tree(a="1"), "uid": 1234, "gid": 1})["changed"]


def test_the_way_there_is_closed_to_others(trees: FileTrees) -> None:
    made = trees.write_tree(tree(a="1"))
    for parent in (Path(trees.root), Path(made["path"]).parent):
        assert parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "path", ["", "/etc", "../x", "a/../../x", "a//b", "./a", "a/.", "a\0b", "x" * 300, "..data"]
)
def test_no_way_out_of_the_root(trees: FileTrees, path: str) -> None:
    for call in (trees.write_tree, trees.make_dir, trees.remove):
        given = tree(path) if call == trees.write_tree else {"path": path}
        with pytest.raises(Failure) as caught:
            call(given)
        assert caught.value.code == "forbidden"


def test_no_way_out_by_a_files_name(trees: FileTrees) -> None:
    for name in ("../x", "..data", "a/../b", "/x"):
        with pytest.raises(Failure) as caught:
            trees.write_tree({"path": "t", "files": {name: {"data": ""}}})
        assert caught.value.code == "forbidden"


def test_no_way_out_by_a_link(trees: FileTrees, tmp_path: Path) -> None:
    trees.make_dir({"path": "d"})
    Path(trees.root, "d", "out").symlink_to(tmp_path)
    with pytest.raises(Failure) as caught:
        trees.write_tree(tree("d/out/x", a="1"))
    assert caught.value.code == "forbidden"


def test_removal_follows_no_link_and_tidies_up(trees: FileTrees, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    made = trees.make_dir({"path": "pods/u/volumes/v"})
    Path(made["path"], "link").symlink_to(kept)
    assert trees.remove({"path": "pods/u/volumes/v"}) == {"removed": True}
    assert (kept / "file").exists()
    assert list(Path(trees.root).iterdir()) == []
    assert trees.remove({"path": "pods/u/volumes/v"}) == {"removed": False}


def test_a_plain_directory(trees: FileTrees) -> None:
    made = trees.make_dir({"path": "pods/u/volumes/e", "mode": 0o777})
    assert made["changed"]
    Path(made["path"], "content").write_text("x")
    assert not trees.make_dir({"path": "pods/u/volumes/e", "mode": 0o777})["changed"]
    assert Path(made["path"], "content").exists()


def test_the_list(trees: FileTrees) -> None:
    assert trees.list({}) == {"trees": []}
    trees.write_tree(tree("pods/u/volumes/v", a="1", sub__b="2"))
    made = trees.make_dir({"path": "pods/w/volumes/e"})
    Path(made["path"], "content").mkdir()
    listed = [
        {"path": "pods/u/volumes/v", "files": ["a", "sub/b"]},
        {"path": "pods/w/volumes/e", "files": []},
    ]
    assert trees.list({}) == {"trees": listed}
    assert trees.list({"path": "pods/w"}) == {"trees": listed[1:]}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a": {"data": "?"}}, "files.a.data must be base64"),
        ({"a": {}}, "files.a.data is missing"),
        ({"a": {"data": "", "mode": 8**5}}, "files.a.mode must be"),
        ({"a": {"data": ""}, "a/b": {"data": ""}}, "files.a/b: its directory is a file too"),
        ({"a": {"data": "", "x": 1}}, "files.a.x: unknown field"),
    ],
)
def test_bad_files(trees: FileTrees, files: Any, words: str) -> None:
    with pytest.raises(Failure) as caught:
        trees.write_tree({"path": "t", "files": files})
    assert words in caught.value.message
    assert not Path(trees.root, "t").exists()


def test_what_the_host_refuses_is_told_in_its_words(trees: FileTrees) -> None:
    Path(trees.root).parent.mkdir(exist_ok=True)
    Path(trees.root).write_text("a file where the root should be")
    with pytest.raises(Failure) as caught:
        trees.write_tree(tree(a="1"))
    assert caught.value.code == "failed"
    assert "File exists" in caught.value.message
