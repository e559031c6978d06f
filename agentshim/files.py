"""Files for volumes, under one root in tmpfs: whole trees, switched atomically.

As Kubernetes' AtomicWriter: a hidden directory per version, a link `..data` to the present one,
and a link per name into `..data`; a reader sees the old tree or the new one, never a mixture.
Source: Kubernetes, pkg/volume/util/atomic_writer.go.
"""

from __future__ import annotations

import binascii
import os
import stat
import time
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from agentshim.payload import Fields
from agentshim.wire import Failure

DATA = "..data"
MAX_FILES = 10000
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


class File(NamedTuple):
    """One file of a tree."""

    data: bytes
    mode: int


class FileTrees:
    """All trees below one root; blocking, for worker threads.

    Concurrent calls for the same path are the caller's matter (the service runs one at a time).
    """

    def __init__(self, root: str) -> None:
        self.root = root

    def write_tree(self, payload: Any) -> Dict[str, Any]:
        """Operation `files.write_tree`."""
        fields = Fields(payload)
        target = self._target(fields)
        files = _read_files(fields)
        dir_mode = fields.integer("dir_mode", 0o755, 0, 0o7777)
        owner = _read_owner(fields)
        fields.done()
        with _Words("write %s" % target):
            self._make_parents(target)
            changed = _ensure_dir(target, dir_mode, owner)
            present = _read_tree(target)
            if present != (files, dir_mode, owner):
                _switch(target, files, dir_mode, owner)
                changed = True
        return {"path": target, "changed": changed}

    def make_dir(self, payload: Any) -> Dict[str, Any]:
        """Operation `files.make_dir`."""
        fields = Fields(payload)
        target = self._target(fields)
        mode = fields.integer("mode", 0o777, 0, 0o7777)
        owner = _read_owner(fields)
        fields.done()
        with _Words("make %s" % target):
            self._make_parents(target)
            changed = _ensure_dir(target, mode, owner)
        return {"path": target, "changed": changed}

    def remove(self, payload: Any) -> Dict[str, Any]:
        """Operation `files.remove`."""
        fields = Fields(payload)
        target = self._target(fields)
        fields.done()
        with _Words("remove %s" % target):
            if not os.path.lexists(target):
                return {"removed": False}
            remove_tree(target)
            parent = os.path.dirname(target)
            while parent != self.root:
                try:
                    os.rmdir(parent)
                except OSError:
                    break  # something else is in it
                parent = os.path.dirname(parent)
        return {"removed": True}

    def list(self, payload: Any) -> Dict[str, Any]:
        """Operation `files.list`."""
        fields = Fields(payload)
        top = self._target(fields, may_be_root=True)
        fields.done()
        trees: List[Dict[str, Any]] = []
        with _Words("list %s" % top):
            places = [top] if os.path.isdir(top) else []
            while places:
                place = places.pop()
                below = _parents_content(place)
                if below:
                    places += below
                elif place != self.root:
                    path = os.path.relpath(place, self.root)
                    trees.append({"path": path, "files": sorted(_names(place))})
        return {"trees": sorted(trees, key=lambda tree: str(tree["path"]))}

    def _target(self, fields: Fields, may_be_root: bool = False) -> str:
        path = fields.text("path", "") if may_be_root else fields.text("path")
        if path == "" and may_be_root:
            return self.root
        target = os.path.join(self.root, _checked(path))
        place = self.root
        for part in path.split("/"):
            place = os.path.join(place, part)
            if os.path.islink(place):
                raise Failure("forbidden", "path: %s is a link" % place)
        return target

    def _make_parents(self, target: str) -> None:
        """Parents are closed to others: bind mounts need no way through them."""
        os.makedirs(self.root, mode=0o700, exist_ok=True)
        place = self.root
        for part in os.path.relpath(os.path.dirname(target), self.root).split("/"):
            place = os.path.join(place, part)
            if not os.path.isdir(place):
                os.mkdir(place, 0o700)


class _Words:
    """Turns what the host refuses into a typed error."""

    def __init__(self, operation: str) -> None:
        self._operation = operation

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Optional[BaseException], trace: Any) -> None:
        if isinstance(error, OSError):
            words = error.strerror or str(error)
            raise Failure("failed", "cannot %s: %s" % (self._operation, words)) from error


def _checked(path: str) -> str:
    """A relative path without tricks."""
    parts = path.split("/")
    if len(path) > 1024 or any(
        not part or part.startswith("..") or part == "." or "\0" in part or len(part) > 255
        for part in parts
    ):
        raise Failure("forbidden", "path %r leaves the allowed root" % path)
    return path


def _read_files(fields: Fields) -> Dict[str, File]:
    found: Dict[str, File] = {}
    values = fields.mapping("files")
    if len(values) > MAX_FILES:
        raise Failure("too_large", "files: %d are too many" % len(values))
    for name in values:
        each = Fields(values[name], "files.%s" % name)
        text = each.text("data").encode("utf-8")
        if len(text) % 4 or text.rstrip(b"=").translate(None, _BASE64):
            each.wrong("data", "base64")
        data = binascii.a2b_base64(text)
        found[_checked(name)] = File(data, each.integer("mode", 0o644, 0, 0o7777))
        each.done()
    for name in found:
        parts = name.split("/")
        if any("/".join(parts[:count]) in found for count in range(1, len(parts))):
            raise Failure("bad_request", "files.%s: its directory is a file too" % name)
    return found


Owner = Tuple[int, int]


def _read_owner(fields: Fields) -> Owner:
    uid, gid = fields.optional_integer("uid", 0, 2**31), fields.optional_integer("gid", 0, 2**31)
    return (os.geteuid() if uid is None else uid, os.getegid() if gid is None else gid)


def _ensure_dir(target: str, mode: int, owner: Owner) -> bool:
    """Makes the directory so; whether anything changed."""
    changed = False
    if not os.path.isdir(target):
        os.mkdir(target, 0o700)
        changed = True
    return _set_mode(target, mode, owner) or changed


def _set_mode(path: str, mode: int, owner: Owner) -> bool:
    now = os.stat(path)
    changed = False
    if (now.st_uid, now.st_gid) != owner:
        os.chown(path, *owner)
        changed = True
    if changed or stat.S_IMODE(now.st_mode) != mode:
        os.chmod(path, mode)  # after chown, which clears set-id bits
        changed = True
    return changed


def _parents_content(place: str) -> List[str]:
    """The directories in a parent; none in a tree or a plain directory (those are not 0700)."""
    if os.path.islink(os.path.join(place, DATA)):
        return []
    if stat.S_IMODE(os.stat(place).st_mode) != 0o700:
        return []
    with os.scandir(place) as entries:
        return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]


def _names(target: str) -> List[str]:
    """Paths of the files in the present version of a tree; none of a plain directory."""
    base = os.path.join(target, DATA)
    if not os.path.islink(base):
        return []
    base = os.path.realpath(base)
    return [
        os.path.relpath(os.path.join(place, name), base)
        for place, _, files in os.walk(base)
        for name in files
    ]


def _read_tree(target: str) -> Optional[Tuple[Dict[str, File], int, Owner]]:
    """The present tree, or None when there is none or it is not one of ours."""
    base = os.path.join(target, DATA)
    if not os.path.islink(base):
        return None
    found: Dict[str, File] = {}
    owners = set()
    for name in _names(target):
        path = os.path.join(base, name)
        now = os.stat(path)
        owners.add((now.st_uid, now.st_gid))
        with open(path, "rb") as file:
            found[name] = File(file.read(), stat.S_IMODE(now.st_mode))
    now = os.stat(base)
    owners.add((now.st_uid, now.st_gid))
    tops = {name.split("/")[0] for name in found}
    links = {name for name in os.listdir(target) if not name.startswith("..")}
    if len(owners) != 1 or tops != links:
        return None
    return found, stat.S_IMODE(now.st_mode), owners.pop()


def _switch(target: str, files: Dict[str, File], dir_mode: int, owner: Owner) -> None:
    """Fills a new version, switches to it, and removes the old one."""
    version = "..%d" % time.time_ns()
    base = os.path.join(target, version)
    try:
        os.mkdir(base, 0o700)
        _fill(base, files, dir_mode, owner)
        link = os.path.join(target, "..data_tmp")
        _unlink(link)
        os.symlink(version, link)
        os.rename(link, os.path.join(target, DATA))
    except BaseException:
        try:
            remove_tree(base)
        except OSError:
            pass  # what went wrong first is told
        raise
    wanted = {name.split("/")[0] for name in files}
    for name in os.listdir(target):
        path = os.path.join(target, name)
        if name.startswith(".."):
            if name not in (DATA, version):
                _drop(path)
        elif name not in wanted or not os.path.islink(path):
            _drop(path)
    for name in wanted:
        path = os.path.join(target, name)
        if not os.path.islink(path):
            os.symlink(os.path.join(DATA, name), path)


def _fill(base: str, files: Dict[str, File], dir_mode: int, owner: Owner) -> None:
    directories = {base}
    for name, file in files.items():
        path = os.path.join(base, name)
        parent = os.path.dirname(path)
        os.makedirs(parent, exist_ok=True)
        while parent not in directories:
            directories.add(parent)
            parent = os.path.dirname(parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as target:
            target.write(file.data)
        _set_mode(path, file.mode, owner)
    for directory in directories:
        _set_mode(directory, dir_mode, owner)


def _drop(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        remove_tree(path)
    else:
        _unlink(path)


def remove_tree(path: str) -> None:
    """Removes a directory with all that is in it; follows no link.

    (shutil's brings the archive modules into memory. Nobody else writes here: no races.)
    """
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                remove_tree(entry.path)
            else:
                _unlink(entry.path)
    os.rmdir(path)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
