"""Which server to talk to, and as whom: kubeconfig files and their contexts.

Order: `--kubeconfig`, `$KUBECONFIG` (first file that has the context), `~/.kube/config` when its
current context exists, else the admin kubeconfig in orch's state directory.
Source: Kubernetes, "Organizing Cluster Access Using kubeconfig Files".
"""

import base64
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.cli.environment import environment, state_dir
from orchestrator.kit.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach one API server.

    Attributes:
        server: "https://127.0.0.1:8080".
        namespace: the context's namespace, "default" when it names none.
        token: bearer token; "" for none.
        tls: the context for TLS, with our certificate loaded; None for plain http.
        origin: the file it came from, for error messages.
    """

    server: str
    namespace: str
    token: str
    tls: ssl.SSLContext | None
    origin: str


def load_access(kubeconfig: str = "", context: str = "") -> Access:
    """The access that flags and environment select.

    Raises:
        ConfigError: no file, no such context, or a file that cannot be read; says what to do.
    """
    files = _candidates(kubeconfig)
    seen: list[str] = []
    for path in files:
        if not path.is_file():
            continue
        document = _read(path)
        wanted = context or str(document.get("current-context") or "")
        names = [str(c.get("name")) for c in document.get("contexts") or []]
        seen += names
        if wanted in names:
            return _access(document, wanted, path)
    if context:
        known = ", ".join(sorted(set(seen))) or "none"
        raise ConfigError([f"context {context!r} is in no kubeconfig; known contexts: {known}"])
    looked = ", ".join(str(f) for f in files)
    raise ConfigError(
        [f"no kubeconfig found (looked at {looked}); run `orch bootstrap` or pass --kubeconfig"]
    )


def _candidates(flag: str) -> list[Path]:
    if flag:
        path = Path(flag).expanduser()
        if not path.is_file():
            raise ConfigError([f"--kubeconfig {flag}: no such file"])
        return [path]
    listed = [Path(p) for p in environment("KUBECONFIG").split(os.pathsep) if p]
    own = state_dir("") / "admin.kubeconfig"
    return listed or [Path("~/.kube/config").expanduser(), own]


def _read(path: Path) -> dict[str, Any]:
    import yaml  # half of the start-up time when JSON will do

    text = path.read_text()
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        document = yaml.load(text, Loader=loader)  # noqa: S506  # a safe loader in either case
    except yaml.YAMLError as error:
        raise ConfigError([f"{path}: not YAML: {error}"]) from error
    if not isinstance(document, dict):
        raise ConfigError([f"{path}: a kubeconfig is a mapping with clusters, users, contexts"])
    return document


def _entry(document: dict[str, Any], section: str, name: str, path: Path) -> dict[str, Any]:
    for row in document.get(section) or []:
        if row.get("name") == name:
            key = {"clusters": "cluster", "users": "user", "contexts": "context"}[section]
            found: dict[str, Any] = row.get(key) or {}
            return found
    raise ConfigError([f"{path}: {section}: no entry named {name!r}"])


def _access(document: dict[str, Any], name: str, path: Path) -> Access:
    context = _entry(document, "contexts", name, path)
    cluster = _entry(document, "clusters", str(context.get("cluster", "")), path)
    user = _entry(document, "users", str(context.get("user", "")), path)
    server = str(cluster.get("server", "")).rstrip("/")
    tls = _tls(cluster, user, path) if server.startswith("https://") else None
    return Access(
        server=server,
        namespace=str(context.get("namespace") or "default"),
        token=str(user.get("token") or ""),
        tls=tls,
        origin=str(path),
    )


def _tls(cluster: dict[str, Any], user: dict[str, Any], path: Path) -> ssl.SSLContext:
    tls = ssl.create_default_context()
    if cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    authority = _blob(cluster, "certificate-authority", path)
    if authority:
        tls.load_verify_locations(cadata=authority.decode())
    certificate = _blob(user, "client-certificate", path)
    key = _blob(user, "client-key", path)
    if certificate and key:
        # the ssl module reads certificates from files only; an anonymous one never touches a disk
        descriptor = os.memfd_create("orch-client", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, certificate + b"\n" + key)
            tls.load_cert_chain(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
    return tls


def _blob(section: dict[str, Any], key: str, path: Path) -> bytes:
    if section.get(f"{key}-data"):
        return base64.b64decode(section[f"{key}-data"])
    if section.get(key):
        return (path.parent / str(section[key])).read_bytes()
    return b""
