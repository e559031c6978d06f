"""The sandbox image: its program runs, sleeps, and is an image that an engine takes."""

import io
import platform
import signal
import struct
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from orchestrator.node.sandbox import pause_elf, sandbox_tar


def test_the_program_sleeps_until_it_is_killed(tmp_path: Path):
    program = tmp_path / "pause"
    program.write_bytes(pause_elf(platform.machine()))
    program.chmod(0o755)
    child = subprocess.Popen([program])
    try:
        state, deadline = "", time.monotonic() + 10
        stat = Path(f"/proc/{child.pid}/stat")
        while state != "S" or "pause" not in stat.read_text():
            assert child.poll() is None, "it ended"
            assert time.monotonic() < deadline, f"it does not sleep: {state}"
            state = stat.read_text().rpartition(")")[2].split()[0]
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == -signal.SIGTERM
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize(
    ("architecture", "machine"),
    [("x86_64", 62), ("amd64", 62), ("aarch64", 183), ("arm64", 183)],
)
def test_the_program_is_for_its_architecture(architecture, machine):
    program = pause_elf(architecture)
    assert program[:4] == b"\x7fELF"
    assert struct.unpack_from("<H", program, 18) == (machine,)
    entry = struct.unpack_from("<Q", program, 24)[0]
    base, size = struct.unpack_from("<Q", program, 64 + 16)[0], struct.unpack_from(
        "<Q", program, 64 + 32
    )[0]  # fmt: skip
    assert size == len(program)
    assert base < entry < base + size


def test_an_unknown_architecture():
    with pytest.raises(KeyError):
        pause_elf("s390x")


def test_the_image_is_the_program_and_places_to_mount_over():
    with tarfile.open(fileobj=io.BytesIO(sandbox_tar("x86_64"))) as tar:
        files = {entry.name: entry for entry in tar.getmembers()}
        program = tar.extractfile("pause")
        assert program is not None
        assert program.read() == pause_elf("x86_64")
    assert files["pause"].mode & 0o111
    assert {"dev", "proc", "sys", "etc"} <= {n for n, e in files.items() if e.isdir()}
    assert sandbox_tar("x86_64") == sandbox_tar("amd64"), "the same bytes each time"
