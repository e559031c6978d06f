"""The state directory's small files."""

import pytest

from orchestrator.bootstrap.inventory.model import Inventory, InventoryNode
from orchestrator.bootstrap.state import HostChanges, StateDirectory, own_names
from orchestrator.kit.errors import ConfigError


@pytest.fixture
def state(tmp_path):
    directory = StateDirectory(tmp_path / "state")
    directory.ensure()
    return directory


def test_it_is_for_its_owner_only(state):
    assert state.path.stat().st_mode & 0o777 == 0o700


def test_a_directory_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="choose another with --state-dir"):
        StateDirectory(tmp_path / "file" / "state").ensure()


def test_settings_keep_what_people_added(state):
    assert state.write_settings({"cluster": "prod", "apiserver": {"port": 9000}})
    assert not state.write_settings({"cluster": "prod"})
    text = state.settings.read_text() + "# mine\nscheduler: {strategy: round-robin}\n"
    state.settings.write_text(text)
    assert not state.write_settings({"apiserver": {"port": 9000}})
    assert state.settings.read_text() == text
    assert state.write_settings({"apiserver": {"port": 9001}})
    assert state.read_settings()["scheduler"] == {"strategy": "round-robin"}
    assert (state.port("apiserver", 8080), state.port("loadbalancer", 8081)) == (9001, 8081)


def test_broken_settings_are_said(state):
    state.settings.write_text("a: [")
    with pytest.raises(ConfigError, match=r"server.yaml: not YAML"):
        state.read_settings()


def test_changes_add_up_until_they_are_dropped(state):
    assert state.changes() == {}
    state.add_changes({"a": HostChanges(("docker.io",), (), "ops")})
    state.add_changes({"a": HostChanges(("docker.io",), ("docker",), ""), "b": HostChanges()})
    assert state.changes()["a"] == HostChanges(("docker.io",), ("docker",), "ops")
    state.drop_changes(["a"])
    assert set(state.changes()) == {"b"}


def test_the_inventory_is_kept(state):
    state.write_inventory(Inventory("prod", (InventoryNode("a", "10.0.0.1"),)))
    assert '"host": "10.0.0.1"' in (state.path / "inventory.json").read_text()


def test_own_names_can_be_certified():
    names = own_names(["127.0.0.1"])
    assert "127.0.0.1" in names
    assert "0.0.0.0" not in names
    assert len(names) == len(set(names))
