"""The image that every host of a local cluster runs: Debian with sshd, Docker Engine and sudo.

Two layers, each named by the hash of what goes into it, so that each is built once: the base (the
distribution's packages, some minutes) and the host image on it (our init and sshd settings,
seconds). The base comes from a registry when one answers, else from the distribution's own
packages through mmdebstrap and this machine's apt sources.

`python -m orchestrator.local.image` builds it; the scripts do so before tests, which are timed.
"""

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final, cast

import docker
import docker.errors
import requests.exceptions

from orchestrator.kit.clock import SystemClock
from orchestrator.kit.errors import ConfigError, EngineError, Unreachable
from orchestrator.local.engine import connect_engine
from orchestrator.local.names import BASE_REPOSITORY, NODE_REPOSITORY

PACKAGES: Final = (
    "openssh-server", "docker.io", "sudo", "python3", "iptables", "iproute2", "ca-certificates",
    "procps",
)  # fmt: skip
PULL_IDLE_S: Final = 10
PULL_LIMIT_S: Final = 180.0
FILES: Final = Path(__file__).parent / "files"
_NODE_FILES: Final = ("Dockerfile", "orch-host", "sshd.conf")
_NO_DOCS: Final = tuple(
    f"--dpkgopt=path-exclude=/usr/share/{d}/*" for d in ("man", "doc", "locale", "info")
)

Say = Callable[[str], None]


def node_tag() -> str:
    """The host image's reference, from the hash of everything that goes into it."""
    digest = hashlib.sha256(base_tag().encode())
    for name in _NODE_FILES:
        digest.update((FILES / name).read_bytes())
    return f"{NODE_REPOSITORY}:{digest.hexdigest()[:12]}"


def base_tag() -> str:
    """The base image's reference, from the hash of the package list."""
    return f"{BASE_REPOSITORY}:{hashlib.sha256(' '.join(PACKAGES).encode()).hexdigest()[:12]}"


def ensure_node_image(client: docker.DockerClient, say: Say) -> str:
    """The host image's reference, built when this machine's engine does not have it.

    Raises:
        ConfigError: neither a registry nor the package mirror can be used; says why for both.
        EngineError: the engine could not build it; carries the build's words.
    """
    tag = node_tag()
    if _has(client, tag):
        return tag
    base = base_tag()
    if not _has(client, base):
        say("building the host image (once; a minute or some)")
        _make_base(client, base, say)
    context = _tar({name: (FILES / name).read_bytes() for name in _NODE_FILES})
    _build(client, context, tag, {"BASE": base})
    return tag


def _has(client: docker.DockerClient, tag: str) -> bool:
    try:
        client.images.get(tag)
    except docker.errors.ImageNotFound:
        return False
    return True


def _make_base(client: docker.DockerClient, tag: str, say: Say) -> None:
    reasons = []
    problem = _pull_debian()
    if not problem:
        dockerfile = (FILES / "Dockerfile.base").read_text().replace("PACKAGES", " ".join(PACKAGES))
        try:
            _build(client, _tar({"Dockerfile": dockerfile.encode()}), tag, {})
        except EngineError as error:
            problem = error.message
        else:
            return
    reasons.append(f"from debian:12 of a registry: {problem}")
    say("no registry answers; using the distribution's packages (mmdebstrap)")
    try:
        _bootstrap_base(client, tag)
    except (ConfigError, EngineError) as error:
        reasons.append(f"from the distribution's packages: {error}")
        raise ConfigError(["cannot build the host image", *reasons]) from error


def _pull_debian() -> str:
    """Pulls debian:12; returns why not, "" on success. Gives up when nothing moves."""
    clock = SystemClock()
    started = clock.monotonic()
    client = docker.from_env(timeout=PULL_IDLE_S)
    try:
        if _has(client, "debian:12"):
            return ""
        for line in client.api.pull("debian", tag="12", stream=True, decode=True):
            if "error" in line:
                return str(line["error"])
            if clock.monotonic() - started > PULL_LIMIT_S:
                return f"not done after {PULL_LIMIT_S:.0f} s"
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        return str(error)
    finally:
        client.close()
    return ""


def _bootstrap_base(client: docker.DockerClient, tag: str) -> None:
    tool = _ensure_mmdebstrap()
    release = _os_release()
    codename = release.get("VERSION_CODENAME", "") or "bookworm"
    command = [
        tool, "--variant=minbase", "--components=main" + _extra_components(release), *_NO_DOCS,
        "--include=" + ",".join(PACKAGES), codename, "-", *_sources(codename),
    ]  # fmt: skip
    repository, _, version = tag.partition(":")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        # stderr is small (progress is off when it is no terminal) and read at the end
        output, errors = cast(IO[bytes], process.stdout), cast(IO[bytes], process.stderr)
        staging = f"{version}-{os.getpid()}"  # somebody else may be building one right now
        answer = client.api.import_image_from_stream(output, repository=repository, tag=staging)
        words = errors.read().decode(errors="replace")
    try:
        if process.returncode:
            last = " | ".join([x for x in words.splitlines() if x.startswith("E:")][-3:] or ["?"])
            raise EngineError(f"mmdebstrap ended with status {process.returncode}: {last}")
        if not _has(client, f"{repository}:{staging}"):
            raise EngineError(f"docker import failed: {answer}")
        client.api.tag(f"{repository}:{staging}", repository, version)
    finally:
        _untag(client, f"{repository}:{staging}")


def _untag(client: docker.DockerClient, tag: str) -> None:
    try:
        client.images.remove(tag)
    except docker.errors.APIError:
        return


def _ensure_mmdebstrap() -> str:
    tool = shutil.which("mmdebstrap")
    if tool:
        return tool
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise ConfigError(["mmdebstrap is missing; as root: apt-get install mmdebstrap"])
    for step in (["update"], ["install", "-y", "--no-install-recommends", "mmdebstrap"]):
        done = subprocess.run(
            ["apt-get", "-qq", *step], check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise ConfigError([f"apt-get {step[0]}: {done.stderr.strip()[-400:]}"])
    return "mmdebstrap"


def _os_release() -> dict[str, str]:
    path = Path("/etc/os-release")
    text = path.read_text() if path.is_file() else ""
    return dict(re.findall(r'^([A-Z_]+)="?([^"\n]*)"?$', text, re.MULTILINE))


def _extra_components(release: dict[str, str]) -> str:
    # docker.io and mmdebstrap are in Ubuntu's universe
    return ",universe" if release.get("ID") == "ubuntu" else ""


def _sources(codename: str, root: Path = Path("/etc/apt")) -> list[str]:
    """This machine's apt source files that carry the distribution itself."""
    files = [root / "sources.list", *sorted((root / "sources.list.d").glob("*.sources"))]
    files += sorted((root / "sources.list.d").glob("*.list"))
    wanted = re.compile(rf"^(Suites:.*|deb\s.*\s){codename}\b", re.MULTILINE)
    chosen = []
    for file in files:
        if not file.is_file():
            continue
        text = file.read_text()
        if wanted.search(text) and re.search(r"^(Components:|deb\s).*\bmain\b", text, re.MULTILINE):
            chosen.append(str(file))
    return chosen


def _tar(files: dict[str, bytes]) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    buffer.seek(0)
    return buffer


def _build(
    client: docker.DockerClient, context: io.BytesIO, tag: str, args: dict[str, str]
) -> None:
    words: list[str] = []
    failure = ""
    lines: Any = client.api.build(
        fileobj=context, custom_context=True, tag=tag, buildargs=args, rm=True, forcerm=True,
        decode=True,
    )  # fmt: skip
    for line in lines:
        words.append(str(line.get("stream", "")).rstrip())
        failure = str(line.get("error", "")) or failure
    if failure:
        tail = " | ".join([w for w in words if w][-4:])
        raise EngineError(f"docker build of {tag}: {failure}; {tail}", operation="build image")


def _say(words: str) -> None:
    print(words, file=sys.stderr)  # noqa: T201  # an entry point


def main() -> int:
    """Makes sure that this machine's engine has the host image."""
    try:
        client = connect_engine()
        try:
            ensure_node_image(client, _say)
        finally:
            client.close()
    except (ConfigError, EngineError, Unreachable) as error:
        _say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
