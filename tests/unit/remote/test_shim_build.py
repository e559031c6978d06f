import io
import zipfile

from orchestrator.remote.shim.build import build_shim


def test_the_same_sources_give_the_same_bytes() -> None:
    first = build_shim()
    build_shim.cache_clear()
    second = build_shim()
    assert first is not second
    assert (first.data, first.digest) == (second.data, second.digest)


def test_what_is_in_it() -> None:
    build = build_shim()
    with zipfile.ZipFile(io.BytesIO(build.data)) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    assert names == sorted(names)
    assert {"__main__.py", "agentshim/__init__.py", "agentshim/wire.py"} <= set(names)
    assert "agentshim/launcher.py" not in names
    assert "def main" in build.launcher
    # The launcher travels as one argument of a command; Linux allows 128 KiB each.
    assert len(build.launcher.encode()) < 100_000
