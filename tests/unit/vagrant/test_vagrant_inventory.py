"""The inventory that `vagrant/cluster up` writes from `vagrant ssh-config`."""

import pytest
import yaml

from vagrant.inventory import inventory

LIBVIRT = """\
Host node-1
  HostName 192.168.57.143
  User vagrant
  Port 22
  UserKnownHostsFile /dev/null
  StrictHostKeyChecking no
  IdentityFile /home/me/a clone/.clusters/orch/vagrant/machines/node-1/libvirt/private_key
  IdentitiesOnly yes

Host node-12
  HostName 192.168.57.27
  User vagrant
  Port 22
  IdentityFile /keys/node-12
  IdentityFile /keys/other
"""
VIRTUALBOX = """\
Host node-1
  HostName 127.0.0.1
  User vagrant
  Port 2222
  IdentityFile "C:/Users/me/key #1"
"""


def node(name, host, key):
    return {"name": name, "host": host, "user": "vagrant", "identity_file": key}


def test_nodes_are_reached_on_the_private_network_with_vagrants_user_and_key():
    key = "/home/me/a clone/.clusters/orch/vagrant/machines/node-1/libvirt/private_key"
    assert yaml.safe_load(inventory(LIBVIRT, "orch", "192.168.56")) == {
        "cluster": "orch",
        "nodes": [
            node("node-1", "192.168.56.11", key),
            node("node-12", "192.168.56.22", "/keys/node-12"),
        ],
    }


def test_a_forwarded_port_is_no_address_of_the_cluster():
    document = yaml.safe_load(inventory(VIRTUALBOX, "orch", "10.9.8"))
    assert document["nodes"] == [node("node-1", "10.9.8.11", "C:/Users/me/key #1")]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        pytest.param("", "names no host", id="nothing"),
        pytest.param("Host web\n  User a\n  IdentityFile b\n", "'web' is no name", id="foreign"),
        pytest.param("Host node-1\n  HostName x\n", "no User and no IdentityFile", id="bare"),
    ],
)
def test_what_cannot_be_an_inventory_says_why(config, words):
    with pytest.raises(ValueError, match=words):
        inventory(config, "orch", "192.168.56")
