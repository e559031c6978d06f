"""A tiny image for tests, made of Debian's static busybox: nothing can be pulled where tests run.

`docker import` turns a tar into an image without a build; the applets are symbolic links in it.
"""

import io
import subprocess
import tarfile
from pathlib import Path

BUSYBOX_TAG = "orch-test/busybox:1"


def ensure_busybox(docker_socket: str = "/var/run/docker.sock", tag: str = BUSYBOX_TAG) -> str:
    """Makes sure that the engine has the image; returns its tag. Idempotent.

    The image has sh, httpd, wget, nc, sleep and the other applets in /bin, and /www/index.html.

    Raises:
        subprocess.CalledProcessError: the engine refused.
        FileNotFoundError: busybox-static or the docker CLI is not installed.
    """
    docker = ["docker", "-H", f"unix://{docker_socket}"]
    found = subprocess.run([*docker, "image", "inspect", tag], capture_output=True, check=False)
    if found.returncode != 0:
        change = 'CMD ["/bin/sh"]'
        subprocess.run(
            [*docker, "import", "--change", change, "-", tag],
            input=busybox_tar(),
            capture_output=True,
            check=True,
        )
    return tag


def busybox_tar() -> bytes:
    """The image's root file system as a tar: the same bytes for the same busybox."""
    binary = _static_busybox()
    applets = subprocess.run([str(binary), "--list"], capture_output=True, check=True, text=True)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for directory in ("bin", "dev", "etc", "proc", "root", "sys", "tmp", "var", "www"):
            _add(tar, directory, tarfile.DIRTYPE, 0o1777 if directory == "tmp" else 0o755)
        _add(tar, "bin/busybox", tarfile.REGTYPE, 0o755, binary.read_bytes())
        for applet in sorted(set(applets.stdout.split()) - {"busybox"}):
            _add(tar, f"bin/{applet}", tarfile.SYMTYPE, 0o777, link="busybox")
        passwd = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"
        _add(tar, "etc/passwd", tarfile.REGTYPE, 0o644, passwd)
        _add(tar, "etc/group", tarfile.REGTYPE, 0o644, b"root:x:0:\nnogroup:x:65534:\n")
        _add(tar, "www/index.html", tarfile.REGTYPE, 0o644, b"hello from busybox\n")
    return buffer.getvalue()


def _static_busybox() -> Path:
    for candidate in (Path("/bin/busybox"), Path("/usr/bin/busybox")):
        if candidate.is_file():
            return candidate
    raise FileNotFoundError("busybox is not installed; on Debian: apt-get install busybox-static")


def _add(
    tar: tarfile.TarFile, name: str, kind: bytes, mode: int, data: bytes = b"", link: str = ""
) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.size, entry.linkname = kind, mode, len(data), link
    tar.addfile(entry, io.BytesIO(data))
