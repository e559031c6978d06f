"""A running server's certificate is renewed without a restart."""

from cryptography import x509

from orchestrator.credentials import keeper
from orchestrator.credentials.ensure import ensure_credentials, server_ssl_context
from tests.unit.credentials.test_ensure import DAY, START, FixedClock, handshake_certificate


def test_new_connections_see_the_new_certificate(tmp_path):
    clock = FixedClock(START)
    where = ensure_credentials(tmp_path, ["api.example"], clock=clock)
    context = server_ssl_context(where)
    first = x509.load_pem_x509_certificate(where.server_cert.read_bytes())
    clock.wall_s += 650 * DAY
    keeper.renew(tmp_path, context, clock)
    second = x509.load_pem_x509_certificate(where.server_cert.read_bytes())
    assert second.serial_number != first.serial_number
    assert second.issuer == first.issuer
    assert handshake_certificate(context, where).serial_number == second.serial_number


def test_nothing_to_renew_changes_nothing(tmp_path):
    where = ensure_credentials(tmp_path)
    context = server_ssl_context(where)
    before = where.server_cert.read_bytes()
    keeper.renew(tmp_path, context)
    assert where.server_cert.read_bytes() == before
