"""What `ensure_credentials` leaves on disk, and what a second call changes."""

import ssl
import stat
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from orchestrator.credentials.authority import subject_names
from orchestrator.credentials.ensure import (
    client_ssl_context,
    ensure_credentials,
    server_ssl_context,
)
from orchestrator.credentials.tokens import (
    LOOK_S,
    TokenFile,
    TokenOwner,
    token_digest,
    write_tokens,
)
from orchestrator.kit.errors import ConfigError


class FixedClock:
    def __init__(self, wall_s: float) -> None:
        self.wall_s = wall_s

    def wall(self) -> float:
        return self.wall_s

    def monotonic(self) -> float:
        return self.wall_s


START = 1_800_000_000.0
DAY = 86_400.0


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_modes_and_files(tmp_path):
    state = tmp_path / "state"
    ensure_credentials(state)
    modes = {
        str(p.relative_to(state)): stat.S_IMODE(p.stat().st_mode)
        for p in state.rglob("*")
        if p.name != ".lock"
    }
    assert modes == {
        "pki": 0o700,
        "pki/ca.crt": 0o644,
        "pki/ca.key": 0o600,
        "pki/server.crt": 0o644,
        "pki/server.key": 0o600,
        "pki/admin.crt": 0o644,
        "pki/admin.key": 0o600,
        "pki/admin.token": 0o600,
        "pki/sa.key": 0o600,
        "pki/sa.pub": 0o644,
        "tokens.json": 0o600,
        "admin.kubeconfig": 0o600,
    }
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


def test_second_call_changes_nothing(tmp_path):
    ensure_credentials(tmp_path, ["api.example.com"], cluster="prod", server_url="https://a:1")
    before = snapshot(tmp_path)
    ensure_credentials(tmp_path, ["API.example.com."])
    assert snapshot(tmp_path) == before


def test_new_name_renews_server_certificate_only(tmp_path):
    clock = FixedClock(START)
    where = ensure_credentials(tmp_path, ["one.example"], clock=clock)
    before = snapshot(tmp_path)
    ensure_credentials(tmp_path, ["203.0.113.7"], clock=clock)
    changed = {name for name, data in snapshot(tmp_path).items() if before[name] != data}
    assert changed == {"pki/server.crt", "pki/server.key"}
    names = subject_names(where.server_cert.read_bytes())
    assert {"one.example", "203.0.113.7", "localhost", "127.0.0.1", "kubernetes"} <= names


@pytest.mark.parametrize(("days", "renewed"), [(600, False), (650, True), (5000, True)])
def test_leaves_are_renewed_near_expiry_by_the_same_root(tmp_path, days, renewed):
    ensure_credentials(tmp_path, clock=FixedClock(START))
    before = snapshot(tmp_path)
    ensure_credentials(tmp_path, clock=FixedClock(START + days * DAY))
    after = snapshot(tmp_path)
    assert after["pki/ca.crt"] == before["pki/ca.crt"]
    assert (after["pki/server.crt"] != before["pki/server.crt"]) is renewed
    assert (after["admin.kubeconfig"] != before["admin.kubeconfig"]) is renewed
    assert after["tokens.json"] == before["tokens.json"]


def test_certificate_that_does_not_fit_its_key_is_replaced(tmp_path):
    where = ensure_credentials(tmp_path)
    where.server_key.write_bytes(where.admin_key.read_bytes())
    ensure_credentials(tmp_path)
    server_ssl_context(where)  # raises when key and certificate do not fit


def test_garbage_certificate_is_replaced(tmp_path):
    where = ensure_credentials(tmp_path)
    where.admin_cert.write_bytes(b"not a certificate")
    ensure_credentials(tmp_path)
    client_ssl_context(where)


def test_root_without_key_is_an_error_not_a_new_root(tmp_path):
    where = ensure_credentials(tmp_path)
    where.ca_cert.with_suffix(".key").unlink()
    with pytest.raises(ConfigError, match=r"ca\.crt: its private key ca\.key is missing"):
        ensure_credentials(tmp_path)


def test_bad_names_are_all_reported(tmp_path):
    with pytest.raises(ConfigError) as caught:
        ensure_credentials(tmp_path / "state", ["ok.example", "no good", "a..b"])
    assert len(caught.value.problems) == 2
    assert not (tmp_path / "state").exists()


def test_admin_certificate_subject(tmp_path):
    where = ensure_credentials(tmp_path)
    subject = x509.load_pem_x509_certificate(where.admin_cert.read_bytes()).subject
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "orch-admin"
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "system:masters"


def test_kubeconfig_names_and_keeps_its_target(tmp_path):
    where = ensure_credentials(tmp_path, cluster="prod", server_url="https://api.example:8080")
    ensure_credentials(tmp_path)
    document = yaml.safe_load(where.kubeconfig.read_bytes())
    assert document["current-context"] == "prod"
    assert document["contexts"][0]["name"] == "prod"
    assert document["clusters"][0]["cluster"]["server"] == "https://api.example:8080"
    ensure_credentials(tmp_path, server_url="https://other:1")
    document = yaml.safe_load(where.kubeconfig.read_bytes())
    assert document["clusters"][0]["cluster"]["server"] == "https://other:1"


def test_admin_token_is_known_by_its_digest_only(tmp_path):
    where = ensure_credentials(tmp_path)
    token = where.admin_token.read_text().strip()
    assert token not in where.tokens.read_text()
    owner = TokenFile(where.tokens).owner_of(token)
    assert owner == TokenOwner(user="orch-admin", groups=("system:masters",))


def test_token_file_follows_changes(tmp_path):
    path = tmp_path / "tokens.json"
    clock = FixedClock(1000.0)
    tokens = TokenFile(path, clock)
    assert tokens.owner_of("t1") is None
    write_tokens(path, {token_digest("t1"): TokenOwner("ann", ("dev",))})
    assert tokens.owner_of("t1") == TokenOwner("ann", ("dev",))
    write_tokens(path, {})
    clock.wall_s += 2 * LOOK_S
    assert tokens.owner_of("t1") is None


def test_token_file_is_not_asked_at_every_request(tmp_path):
    path = tmp_path / "tokens.json"
    clock = FixedClock(1000.0)
    tokens = TokenFile(path, clock)
    write_tokens(path, {token_digest("t1"): TokenOwner("ann", ("dev",))})
    assert tokens.owner_of("t1") is not None
    path.write_text("broken")
    clock.wall_s += LOOK_S / 2
    assert tokens.owner_of("t1") == TokenOwner("ann", ("dev",))
    clock.wall_s += 2 * LOOK_S
    with pytest.raises(ConfigError):
        tokens.owner_of("t1")


def test_other_tokens_survive(tmp_path):
    where = ensure_credentials(tmp_path)
    write_tokens(where.tokens, {token_digest("x"): TokenOwner("ann", ())})
    ensure_credentials(tmp_path)
    tokens = TokenFile(where.tokens)
    assert tokens.owner_of("x") == TokenOwner("ann", ())
    assert tokens.owner_of(where.admin_token.read_text().strip()) is not None


def test_broken_token_file_says_what_would_be_right(tmp_path):
    where = ensure_credentials(tmp_path)
    where.tokens.write_text('["a"]')
    with pytest.raises(ConfigError, match=r"tokens\.json: .*expected"):
        ensure_credentials(tmp_path)


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> ssl.SSLObject:
    """A TLS handshake in memory; returns the server's end."""
    return _ends(server, client, name)[0]


def handshake_certificate(server: ssl.SSLContext, where) -> x509.Certificate:
    """The certificate that a server shows, to a client that asks for it without judging it."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    der = _ends(server, client, "x")[1].getpeercert(binary_form=True)
    return x509.load_der_x509_certificate(der)


def _ends(server, client, name):
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server_end = server.wrap_bio(to_server, to_client, server_side=True)
    client_end = client.wrap_bio(to_client, to_server, server_hostname=name)
    ends = [client_end, server_end]
    for _ in range(8):
        for end in list(ends):
            try:
                end.do_handshake()
                ends.remove(end)
            except ssl.SSLWantReadError:
                continue
    assert not ends
    return server_end, client_end


def _client_of(server_end):
    return server_end.getpeercert(binary_form=True)


def test_tls_with_and_without_client_certificate(tmp_path):
    where = ensure_credentials(tmp_path / "a")
    server = server_ssl_context(where)
    assert _client_of(handshake(server, client_ssl_context(where), "127.0.0.1")) is not None
    anonymous = ssl.create_default_context(cafile=str(where.ca_cert))
    assert _client_of(handshake(server, anonymous, "localhost")) is None


def test_client_certificate_of_another_root_is_refused(tmp_path):
    ours, theirs = ensure_credentials(tmp_path / "a"), ensure_credentials(tmp_path / "b")
    client = ssl.create_default_context(cafile=str(ours.ca_cert))
    client.load_cert_chain(theirs.admin_cert, theirs.admin_key)
    with pytest.raises(ssl.SSLError):
        handshake(server_ssl_context(ours), client, "localhost")
