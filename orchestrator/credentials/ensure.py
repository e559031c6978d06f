"""Makes the credentials of a state directory, or completes them; safe to call at every start.

    pki/ca.{crt,key}        the cluster's root; never replaced while it is there
    pki/server.{crt,key}    what the API server shows; issued anew for new names or near expiry
    pki/admin.{crt,key}     O=system:masters, CN=orch-admin
    pki/admin.token         the admin's bearer token, for curl and the documentation page
    pki/sa.{key,pub}        signs service accounts' tokens; the public keys that check them
    tokens.json             SHA-256 of each token -> user, groups
    admin.kubeconfig        embeds the root and the admin's certificate

Keys and tokens are 0600, directories 0700, every write is atomic, and two processes that call this
at once take turns. Source: Kubernetes PKI certificates and requirements.
"""

import fcntl
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.credentials import authority as ca
from orchestrator.credentials.authority import KeyPair
from orchestrator.credentials.files import (
    PRIVATE_FILE,
    PUBLIC_FILE,
    ensure_directory,
    write_atomic,
    write_if_changed,
)
from orchestrator.credentials.kubeconfig import read_target, render_kubeconfig
from orchestrator.credentials.signing import ensure_signing_keys
from orchestrator.credentials.tokens import (
    TokenOwner,
    new_token,
    read_tokens,
    token_digest,
    write_tokens,
)
from orchestrator.kit.clock import Clock, SystemClock
from orchestrator.kit.errors import ConfigError

ADMIN_USER: Final = "orch-admin"
ADMIN_GROUP: Final = "system:masters"
DEFAULT_CLUSTER: Final = "orch"
DEFAULT_SERVER: Final = "https://127.0.0.1:8080"
ALWAYS_NAMES: Final = (
    "localhost", "127.0.0.1", "::1", "kubernetes", "kubernetes.default",
    "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
)  # fmt: skip
"""Names that every server certificate carries."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where the credentials of one state directory are.

    Attributes:
        ca_cert: the root's certificate.
        server_cert: the API server's certificate.
        server_key: its key.
        admin_cert: the administrator's client certificate.
        admin_key: its key.
        admin_token: file that holds the administrator's bearer token.
        accounts_key: private key that signs service accounts' tokens (`signing.SigningKeys`).
        accounts_keys: public keys that check them.
        tokens: the token file (`tokens.TokenFile` reads it).
        kubeconfig: the administrator's kubeconfig.
    """

    ca_cert: Path
    server_cert: Path
    server_key: Path
    admin_cert: Path
    admin_key: Path
    admin_token: Path
    accounts_key: Path
    accounts_keys: Path
    tokens: Path
    kubeconfig: Path


def paths_in(state_dir: Path) -> Credentials:
    """Where the files are or would be; touches nothing."""
    pki = state_dir / "pki"
    return Credentials(
        ca_cert=pki / "ca.crt",
        server_cert=pki / "server.crt",
        server_key=pki / "server.key",
        admin_cert=pki / "admin.crt",
        admin_key=pki / "admin.key",
        admin_token=pki / "admin.token",
        accounts_key=pki / "sa.key",
        accounts_keys=pki / "sa.pub",
        tokens=state_dir / "tokens.json",
        kubeconfig=state_dir / "admin.kubeconfig",
    )


def ensure_credentials(
    state_dir: Path,
    names: Sequence[str] = (),
    *,
    cluster: str = "",
    server_url: str = "",
    clock: Clock | None = None,
) -> Credentials:
    """Makes what is missing or worn out and returns where everything is; idempotent.

    The server certificate is issued anew, by the same root, when a name is missing from it or fewer
    than 90 days are left; names that it had are kept. An existing root is never replaced.

    Args:
        state_dir: made with mode 0700 if missing.
        names: further host names and IP addresses that clients reach the server by.
        cluster: name of cluster and context in the kubeconfig; "" keeps what is there, else "orch".
        server_url: URL in the kubeconfig; "" keeps what is there, else https://127.0.0.1:8080.
        clock: what certificates' validity is counted from.

    Raises:
        ConfigError: a name is no host name or address; a root without its key; a broken token or
            key file.
    """
    now_s = (clock or SystemClock()).wall()
    wanted = _wanted_names(names)
    where = paths_in(state_dir)
    ensure_directory(state_dir)
    ensure_directory(where.ca_cert.parent)
    with _alone(where.ca_cert.parent / ".lock"):
        target = read_target(where.kubeconfig)
        cluster = cluster or (target.cluster if target else DEFAULT_CLUSTER)
        server_url = server_url or (target.server if target else DEFAULT_SERVER)
        root = _ensure_root(where.ca_cert, cluster, now_s)
        _ensure_server(where, root, wanted, now_s)
        admin = _ensure_admin(where, root, now_s)
        _ensure_admin_token(where)
        ensure_signing_keys(where.accounts_key, where.accounts_keys)
        kubeconfig = render_kubeconfig(
            cluster=cluster,
            server=server_url,
            ca_pem=root.cert_pem,
            cert_pem=admin.cert_pem,
            key_pem=admin.key_pem,
            user=ADMIN_USER,
        )
        write_if_changed(where.kubeconfig, kubeconfig)
    return where


def root_pair(credentials: Credentials) -> KeyPair:
    """The root with its key.

    Raises:
        ConfigError: `ensure_credentials` was not called.
    """
    pair = _read_pair(credentials.ca_cert)
    if pair is None:
        raise ConfigError([f"{credentials.ca_cert}: there is no root yet"])
    return pair


def server_ssl_context(credentials: Credentials) -> ssl.SSLContext:
    """TLS for the API server: our certificate; a client certificate is asked for, not demanded.

    A client that shows a certificate of another root is refused in the handshake.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(credentials.ca_cert))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(credentials.server_cert, credentials.server_key)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["http/1.1"])
    return context


def client_ssl_context(credentials: Credentials) -> ssl.SSLContext:
    """TLS for a client on this machine that speaks as the administrator."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(credentials.ca_cert))
    context.load_cert_chain(credentials.admin_cert, credentials.admin_key)
    return context


def _wanted_names(names: Sequence[str]) -> list[str]:
    wanted: dict[str, None] = dict.fromkeys(ALWAYS_NAMES)
    problems: list[str] = []
    for name in names:
        try:
            wanted[ca.normal_name(name)] = None
        except ValueError as error:
            problems.append(f"server certificate: {error}")
    if problems:
        raise ConfigError(problems)
    return list(wanted)


def _ensure_root(cert: Path, cluster: str, now_s: float) -> KeyPair:
    key = cert.with_suffix(".key")
    pair = _read_pair(cert)
    if pair is not None:
        return pair
    if cert.exists():
        raise ConfigError([
            f"{cert}: its private key {key.name} is missing; put it back, or remove {cert.name} "
            "to make a new root (every kubeconfig and client certificate must then be issued anew)"
        ])  # fmt: skip
    pair = ca.create_authority(cluster, now_s)
    _write_pair(cert, pair)
    return pair


def _ensure_server(where: Credentials, root: KeyPair, wanted: list[str], now_s: float) -> None:
    pair = _read_pair(where.server_cert)
    if pair is not None and ca.usable(pair, root, now_s):
        present = ca.subject_names(pair.cert_pem)
        if present.issuperset(wanted):
            return
        wanted = [*wanted, *sorted(present.difference(wanted))]
    _write_pair(where.server_cert, ca.issue_server(root, wanted, now_s))


def _ensure_admin(where: Credentials, root: KeyPair, now_s: float) -> KeyPair:
    pair = _read_pair(where.admin_cert)
    if pair is None or not ca.usable(pair, root, now_s):
        pair = ca.issue_client(root, ADMIN_USER, (ADMIN_GROUP,), now_s)
        _write_pair(where.admin_cert, pair)
    return pair


def _ensure_admin_token(where: Credentials) -> None:
    tokens = read_tokens(where.tokens)
    try:
        token = where.admin_token.read_text().strip()
    except FileNotFoundError:
        token = ""
    if token and token_digest(token) in tokens:
        return
    if not token:
        token = new_token()
        write_atomic(where.admin_token, f"{token}\n".encode())
    tokens[token_digest(token)] = TokenOwner(user=ADMIN_USER, groups=(ADMIN_GROUP,))
    write_tokens(where.tokens, tokens)


def _read_pair(cert: Path) -> KeyPair | None:
    try:
        return KeyPair(cert.read_bytes(), cert.with_suffix(".key").read_bytes())
    except FileNotFoundError:
        return None


def _write_pair(cert: Path, pair: KeyPair) -> None:
    # The key goes first: a crash in between leaves a certificate that does not fit its key, which
    # `usable` sees, or for the root a key without a certificate, which is made anew.
    write_atomic(cert.with_suffix(".key"), pair.key_pem, PRIVATE_FILE)
    write_atomic(cert, pair.cert_pem, PUBLIC_FILE)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Holds an exclusive lock on a file, so that two processes do not make two roots."""
    with lock.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
