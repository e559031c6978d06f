"""The image of sandbox containers: a static `pause` of a few hundred bytes, made here.

A sandbox only owns a network namespace: its one process sleeps until it is killed. No registry is
needed for it. Source: System V ABI, ELF-64 object format; Linux system call tables.
"""

import io
import struct
import tarfile
from typing import Final

SANDBOX_IMAGE: Final = "orch.dev/pause:1"
_BASE: Final = 0x400000
_HEADERS: Final = 64 + 56

# pause() in a loop; a signal without a handler ends the process unless it is PID 1, which is killed
_CODE: Final = {
    "x86_64": (62, bytes.fromhex("b8220000000f05ebf7")),
    # aarch64: ppoll(0, 0, 0, 0) in a loop; it has no pause
    "aarch64": (
        183,
        bytes.fromhex("000080d2010080d2020080d2030080d2280980d2010000d4faffff17"),
    ),
}  # fmt: skip
_NAMES: Final = {"amd64": "x86_64", "arm64": "aarch64"}


def pause_elf(architecture: str) -> bytes:
    """A static executable that sleeps for ever.

    Raises:
        KeyError: no code for that architecture.
    """
    machine, code = _CODE[_NAMES.get(architecture, architecture)]
    size = _HEADERS + len(code)
    header = struct.pack(
        "<4sBBBBB7xHHIQQQIHHHHHH",
        b"\x7fELF", 2, 1, 1, 0, 0,
        2, machine, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 64, 0, 0,
    )  # fmt: skip
    program = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return header + program + code


def sandbox_tar(architecture: str) -> bytes:
    """The image's file system: /pause and the folders that the engine mounts over."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for folder in ("dev", "proc", "sys", "etc"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        program = pause_elf(architecture)
        entry = tarfile.TarInfo("pause")
        entry.size, entry.mode = len(program), 0o755
        tar.addfile(entry, io.BytesIO(program))
    return out.getvalue()
