"""What local clusters decide before they touch an engine."""

from pathlib import Path

import pytest

from orchestrator.kit.errors import ConfigError
from orchestrator.local import image, names, owner
from orchestrator.local.hosts import HostPlan, bounding_capabilities, host_config
from orchestrator.local.keys import ensure_key_pair

PLAN = HostPlan("c", "node-1", "10.190.0.11", "img", Path("/d"), "", "ssh-ed25519 AAAA", True)


@pytest.mark.parametrize("name", ["a", "local", "a-1", "0", "x" * 40])
def test_names_that_can_be(name):
    assert names.check_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "x" * 41, "a.b"])
def test_names_that_cannot_be(name):
    with pytest.raises(ConfigError, match="--name"):
        names.check_name(name)


def test_capabilities_are_those_of_the_bounding_set():
    status = "Name:\tx\nCapBnd:\t0000000000200001\n"
    assert bounding_capabilities(status) == ["CHOWN", "SYS_ADMIN"]


def test_without_privilege_every_confinement_is_named():
    config = host_config(PLAN, privileged=False, capabilities=["SYS_ADMIN"])
    assert config["CapDrop"] == ["ALL"]
    assert config["CapAdd"] == ["SYS_ADMIN"]
    assert config["MaskedPaths"] == config["ReadonlyPaths"] == []
    assert "/sys/fs/cgroup:/sys/fs/cgroup:rw" in config["Binds"]
    assert "Privileged" not in config


def test_with_privilege_the_control_groups_are_not_shared():
    config = host_config(PLAN, privileged=True, capabilities=["SYS_ADMIN"])
    assert config["Privileged"] is True
    assert config["Binds"] == ["orch-local-c-node-1-engine:/var/lib/docker"]
    assert "CapAdd" not in config


def test_this_process_is_alive_and_a_gone_one_is_dead():
    own = owner.current_owner()
    assert not owner.is_dead(own)
    assert not owner.is_dead("")
    boot, pid, start = own.split("/")
    assert owner.is_dead(f"{boot}/{pid}/{int(start) + 1}")
    assert owner.is_dead(f"other-boot/{pid}/{start}")


def test_image_names_follow_what_goes_in(monkeypatch):
    before = image.base_tag(), image.node_tag()
    monkeypatch.setattr(image, "PACKAGES", (*image.PACKAGES, "vim"))
    assert image.base_tag() != before[0]
    assert image.node_tag() != before[1]


def test_only_the_distribution_s_own_sources_are_used(tmp_path):
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (parts / "debian.sources").write_text(
        "Types: deb\nURIs: http://m/debian\nSuites: bookworm bookworm-updates\nComponents: main\n"
    )
    (parts / "docker.list").write_text("deb https://download.docker.com bookworm stable\n")
    (parts / "old.list").write_text("deb http://m/debian bullseye main\n")
    (tmp_path / "sources.list").write_text("deb [arch=amd64] http://m/debian bookworm main\n")
    assert image._sources("bookworm", tmp_path) == [
        str(tmp_path / "sources.list"), str(parts / "debian.sources"),
    ]  # fmt: skip


def test_keys_are_private_made_once_and_usable(tmp_path):
    public = ensure_key_pair(tmp_path / "k", "ops@c/node-1")
    assert public.startswith("ssh-ed25519 ")
    assert public.endswith(" ops@c/node-1")
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600
    assert ensure_key_pair(tmp_path / "k", "other") == public
    assert (tmp_path / "k").stat().st_size > 300
