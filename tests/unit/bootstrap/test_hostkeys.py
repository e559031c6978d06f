"""Host keys: pinned on first use, adopted when known, refused when changed."""

import paramiko
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from orchestrator.bootstrap.hostkeys import HostKeys, address_name, fingerprint
from orchestrator.kit.errors import HostKeyMismatch


def new_key() -> paramiko.PKey:
    public = Ed25519PrivateKey.generate().public_key()
    line = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return paramiko.hostkeys.HostKeyEntry.from_line(f"x {line.decode()}").key


ONE, TWO = new_key(), new_key()


def test_first_use_is_pinned_and_known_ever_after(tmp_path):
    pins = tmp_path / "state" / "known_hosts"
    pin = HostKeys(pins).accept("web-1", "10.0.0.1", ONE)
    assert (pin.how, pin.kind) == ("first-use", "ssh-ed25519")
    assert pin.fingerprint == fingerprint(ONE)
    assert pins.read_text() == f"web-1 ssh-ed25519 {ONE.get_base64()}\n"
    again = HostKeys(pins)
    assert again.accept("web-1", "10.0.0.1", ONE).how == "known"
    assert again.expected("web-1", "10.0.0.1") == {"ssh-ed25519": ONE}
    assert len(pins.read_text().splitlines()) == 1


def test_a_changed_key_is_refused_and_says_how_to_accept_it(tmp_path):
    keys = HostKeys(tmp_path / "pins")
    keys.accept("web-1", "10.0.0.1", ONE)
    with pytest.raises(HostKeyMismatch) as caught:
        keys.accept("web-1", "10.0.0.1", TWO)
    assert "has CHANGED" in caught.value.message
    assert fingerprint(ONE) in caught.value.message
    assert fingerprint(TWO) in caught.value.message
    assert f"ssh-keygen -R 'web-1' -f {tmp_path}/pins" in caught.value.message
    assert keys.expected("web-1", "10.0.0.1") == {"ssh-ed25519": ONE}


def test_what_the_user_knows_is_adopted_or_believed(tmp_path):
    known = tmp_path / "user"
    known.write_text(f"[10.0.0.1]:2222 ssh-ed25519 {ONE.get_base64()}\n")
    address = address_name("10.0.0.1", 2222)
    keys = HostKeys(tmp_path / "pins", [tmp_path / "missing", known])
    assert keys.expected("web-1", address) == {"ssh-ed25519": ONE}
    with pytest.raises(HostKeyMismatch, match=f"ssh-keygen -R '\\[10.0.0.1\\]:2222' -f {known}"):
        keys.accept("web-1", address, TWO)
    assert keys.accept("web-1", address, ONE).how == "adopted"
    assert HostKeys(tmp_path / "pins").accept("web-1", address, ONE).how == "known"


def test_a_forgotten_host_can_be_pinned_anew(tmp_path):
    keys = HostKeys(tmp_path / "pins")
    keys.accept("web-1", "10.0.0.1", ONE)
    keys.accept("web-2", "10.0.0.2", ONE)
    keys.forget("web-1")
    assert keys.accept("web-1", "10.0.0.1", TWO).how == "first-use"
    assert [x.split()[0] for x in (tmp_path / "pins").read_text().splitlines()] == [
        "web-2", "web-1",
    ]  # fmt: skip


def test_a_dry_run_records_nothing(tmp_path):
    keys = HostKeys(tmp_path / "pins", record=False)
    assert keys.accept("web-1", "10.0.0.1", ONE).how == "first-use"
    assert not (tmp_path / "pins").exists()
