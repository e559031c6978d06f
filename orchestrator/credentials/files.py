"""Writing secrets to disk: all or nothing, and never readable by others, not even for a moment."""

import os
import secrets
from pathlib import Path
from typing import Final

PRIVATE_FILE: Final = 0o600
PUBLIC_FILE: Final = 0o644
PRIVATE_DIRECTORY: Final = 0o700


def ensure_directory(path: Path) -> None:
    """Makes a directory (and its parents) that only its owner may enter; idempotent.

    A directory that is already there keeps its owner and loses the permissions of others.
    """
    path.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    if path.stat().st_mode & 0o077:
        path.chmod(PRIVATE_DIRECTORY)


def write_atomic(path: Path, data: bytes, mode: int = PRIVATE_FILE) -> None:
    """Replaces a file's content in one step and makes it durable.

    Readers see the old content or the new one, never a part; a crash leaves one of the two.
    The temporary file has `mode` from its creation on.
    """
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        scratch.chmod(mode)
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def write_if_changed(path: Path, data: bytes, mode: int = PRIVATE_FILE) -> bool:
    """Writes only when the content or the mode differs; returns whether it wrote."""
    try:
        same = path.read_bytes() == data and path.stat().st_mode & 0o777 == mode
    except FileNotFoundError:
        same = False
    if not same:
        write_atomic(path, data, mode)
    return not same


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
