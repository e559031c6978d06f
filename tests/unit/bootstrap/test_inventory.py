# ruff: noqa: E501
"""Inventories in all three formats: what they mean, and every fault with its place."""

from pathlib import Path

import pytest

from orchestrator.bootstrap.inventory.load import load_inventory, parse_inventory
from orchestrator.bootstrap.inventory.model import Inventory, InventoryNode, InventoryTaint
from orchestrator.kit.errors import ConfigError

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\n"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "id").write_text(KEY)
    (tmp_path / "id.pub").write_text("ssh-ed25519 AAAA")
    return tmp_path


def parse(text: str, base: Path, **env: str) -> Inventory:
    return parse_inventory(text, base / "inv.yaml", env, base / "home")


def faults(text: str, base: Path, **env: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, base, **env)
    return [p.removeprefix(f"{base}/") for p in caught.value.problems]


def test_defaults_are_merged_into_every_node(base):
    text = """\
cluster: prod
defaults: {user: ops, port: 2200, identity_file: id, become: true, labels: {env: live}}
network: {backend: none}
nodes:
  - {name: web-1, host: 203.0.113.10, labels: {zone: a}}
  - {name: db-1, host: db.example.com, port: 2222, jump: ops@bastion.example.com,
     taints: ["dedicated=db:NoSchedule"], capacity: {cpu: "3", memory: 6Gi}, become: false}
"""
    inventory = parse(text, base)
    key, place = str(base / "id"), f"{base}/inv.yaml"
    assert inventory.cluster == "prod"
    assert inventory.nodes == (
        InventoryNode(
            name="web-1", host="203.0.113.10", port=2200, user="ops", identity_file=key,
            labels={"env": "live", "zone": "a"}, place=f"{place}:5",
        ),
        InventoryNode(
            name="db-1", host="db.example.com", port=2222, user="ops", identity_file=key,
            jump="ops@bastion.example.com", become=False, labels={"env": "live"},
            taints=(InventoryTaint("dedicated", "db", "NoSchedule"),),
            capacity={"cpu": "3", "memory": "6Gi"}, place=f"{place}:6",
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "host", "expected"),
    [
        ("web-[08:10]", "10.0.0.[108:110]", "web-08=10.0.0.108 web-09=10.0.0.109 web-10=10.0.0.110"),
        ("web-[a:c]", "[a:c].example.com", "web-a=a.example.com web-b=b.example.com web-c=c.example.com"),
        ("w[1:5:2]", "10.0.0.[1:3]", "w1=10.0.0.1 w3=10.0.0.2 w5=10.0.0.3"),
        ("web-[1:2].example.com", None, "web-1.example.com=web-1.example.com web-2.example.com=web-2.example.com"),
    ],
)  # fmt: skip
def test_ranges_go_in_step(name, host, expected, base):
    line = f"{{name: '{name}'" + (f", host: '{host}'}}" if host else "}")
    inventory = parse(f"nodes: [{line}]", base)
    assert " ".join(f"{n.name}={n.host}" for n in inventory.nodes) == expected


def test_ranges_reach_key_files_too(base):
    for n in (1, 2):
        (base / f"key-{n}").write_text(KEY)
    inventory = parse(
        "nodes: [{name: 'a-[1:2]', host: '10.0.0.[1:2]', identity_file: 'key-[1:2]'}]", base
    )
    assert [n.identity_file for n in inventory.nodes] == [f"{base}/key-1", f"{base}/key-2"]


def test_environment_references(base):
    text = "cluster: '$${x}'\nnodes: [{name: a, host: '${WEB}', port: '${PORT}'}]"
    assert faults(text, base, PORT="2222", WEB="10.0.0.1") == [
        "inv.yaml:1: cluster: '${x}' is no name for a cluster; use at most 63 of a-z, 0-9, '-' and "
        "'.', beginning and ending with a letter or digit, for example 'x'"
    ]
    node = parse(text.replace("'$${x}'", "x"), base, PORT="2222", WEB="10.0.0.1").nodes[0]
    assert (node.host, node.port) == ("10.0.0.1", 2222)
    assert faults(text.replace("'$${x}'", "x"), base, WEB="10.0.0.1")[0] == (
        "inv.yaml:2: nodes[0].port: environment variable PORT is not set; "
        "export PORT=..., or write the value"
    )


def test_anchors_and_merge_keys_work(base):
    text = "defaults: &d {user: ops}\nnodes: [{<<: *d, name: a, host: h, port: 2200}]"
    assert parse(text, base).nodes[0].user == "ops"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nodes: [{nam: a}]", "inv.yaml:1: nodes[0].nam: unknown key; did you mean 'name'?"),
        ("nodes: [{name: a, ssh_key: id}]", "nodes[0].ssh_key: unknown key; did you mean 'identity_file'?"),
        ("hosts: []", "inv.yaml:1: hosts: unknown key; did you mean 'nodes'?"),
        ("nodes: [{name: a, colour: red}]", "unknown key; known keys: name, host, port"),
        ("nodes:\n- {name: A_b}", "inv.yaml:2: nodes[0].name: 'A_b' is no name for a Node; "),
        ("nodes:\n- {name: A_b}", "for example 'a-b'"),
        ("nodes:\n- {name: a, port: 70000}", "inv.yaml:2: nodes[0].port: '70000' is no port; write"),
        ("nodes:\n- {name: a, port: ssh}", "inv.yaml:2: nodes[0].port: 'ssh' is no port"),
        ("nodes:\n- {name: a, port: [1]}", "inv.yaml:2: nodes[0].port: 'a list' is no port"),
        ("nodes:\n- {name: a, host: ops@h}", "'ops@h' is no host name; keep user and port in their own"),
        ("nodes:\n- {name: a, host: 'h:22'}", "'h:22' is no host name; keep user and port in their own"),
        ("nodes:\n- {name: a, host: 10.0.0.256}", "'10.0.0.256' is no IP address; write four numbers"),
        ("nodes:\n- {name: a, user: 'x y'}", "nodes[0].user: 'x y' is no login name"),
        ("nodes:\n- {name: a, become: maybe}", "become: must be true or false, is a string; write true"),
        ("nodes:\n- {name: a, taints: [x]}", "taints[0]: 'x' is no taint; write KEY=VALUE:EFFECT"),
        ("nodes:\n- {name: a, taints: ['x:noschedule']}", "'x:NoSchedule'"),
        ("nodes:\n- {name: a, taints: ['=y:NoExecute']}", "'' is no label key"),
        ("nodes:\n- {name: a, taints: ['x=1:NoExecute', 'x=2:NoExecute']}", "taints[1]: 'x' with NoExecute is here twice"),
        ("nodes:\n- {name: a, taints: x}", "taints: must be a list, is a string; write taints:"),
        ("nodes:\n- {name: a, capacity: {cpu: lots}}", "capacity.cpu: 'lots' is no quantity of cpu; write one like 3"),
        ("nodes:\n- {name: a, capacity: {memory: 0}}", "'0' is not more than zero"),
        ("nodes:\n- {name: a, capacity: {cpu: -1}}", "'-1' is no quantity of cpu"),
        ("nodes:\n- {name: a, capacity: {gpu: 1}}", "capacity.gpu: unknown key; "),
        ("nodes:\n- {name: a, labels: {'-x': y}}", "labels.-x: '-x' is no label key"),
        ("nodes:\n- {name: a, labels: {x: 'a b'}}", "labels.x: 'a b' is no label value"),
        ("nodes:\n- {name: a, labels: {kubernetes.io/os: x}}", "is set from the host's own facts"),
        ("nodes:\n- {name: a, labels: {x: [1]}}", "labels.x: must be a string, is a list"),
        ("nodes:\n- {name: a, identity_file: nokey}", "identity_file: cannot read"),
        ("nodes:\n- {name: a, identity_file: id.pub}", "holds no private key; name the private key (not"),
        ("nodes:\n- {name: a, identity_file: 3}", "identity_file: must be a string, is the number 3"),
        ("nodes:\n- {name: a, jump: 'a b'}", "jump: 'a b' is no hop; write user@host"),
        ("nodes:\n- {name: a}\n- {name: a, host: b}", "inv.yaml:3: name: 'a' is also the name of the node at"),
        ("nodes:\n- {name: a}\n- {name: b, host: A}", "inv.yaml:3: host: A, port 22 is also node 'a' at"),
        ("nodes:\n- {name: 'a[3:1]'}", "'a[3:1]' runs backwards; write [1:3]"),
        ("nodes:\n- {name: 'a[1:x]'}", "mixes letters and digits"),
        ("nodes:\n- {name: 'a[1:2]b[1:2]'}", "has two ranges"),
        ("nodes:\n- {name: 'a[1:99999]'}", "stands for more than 10000 hosts"),
        ("nodes:\n- {name: 'a[1:3]', host: h}", "host: is one address for 3 names; give it a range too"),
        ("nodes:\n- {name: 'a[1:3]', host: 'h[1:2]'}", "host: stands for 2 values, and name for 3"),
        ("nodes:\n- {name: a, host: 'h[1:2]'}", "host: stands for 2 values, and name for 1"),
        ("nodes:\n- {name: a, name: b}", "nodes[0].name: is here twice (also in line 2); keep one"),
        ("nodes:\n- {host: h}", "inv.yaml:2: nodes[0].name: missing; as in name: web-1"),
        ("nodes:\n- web-1", "inv.yaml:2: nodes[0]: must be a mapping, is a string; write {name:"),
        ("nodes: web-1", "inv.yaml:1: nodes: must be a list, is a string"),
        ("nodes: []", "inv.yaml:1: nodes: there are no nodes; write nodes:"),
        ("cluster: x", "inv.yaml:1: nodes: there are no nodes"),
        ("cluster: [x]\nnodes: [{name: a}]", "inv.yaml:1: cluster: must be a name, is a list"),
        ("defaults: {prot: 1}\nnodes: [{name: a}]", "inv.yaml:1: defaults.prot: unknown key; did you mean 'port'?"),
        ("defaults: {name: x}\nnodes: [{name: a}]", "inv.yaml:1: defaults.name: unknown key"),
        ("network: {backend: overlay}\nnodes: [{name: a}]", "no network backend 'overlay'; there are: none"),
        ("- a\n", "inv.yaml:1: is no inventory: it is a list; write a mapping with cluster"),
        ("", "inv.yaml:1: is no inventory: it is empty"),
        ("nodes: [\n", "inv.yaml:2: not YAML"),
        ("a: 1\n---\nb: 2\n", "not YAML: but found another document"),
        ("nodes: [{name: a, host: '${no-name}'}]", "is no reference to an environment variable"),
    ],
)  # fmt: skip
def test_each_fault_names_its_place_and_what_would_be_right(text, problem, base):
    found = faults(text, base)
    assert any(problem in p for p in found), found
    assert all(p.startswith("inv.yaml:") for p in found)


def test_all_faults_are_reported_at_once_in_the_order_of_the_file(base):
    path = base / "bad.yaml"
    path.write_text(
        "clustr: x\nnodes:\n- {name: a, port: 0}\n- {host: h}\n- {name: b, labls: {}}\n"
        "- {name: c, host: '${NOPE}'}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_inventory(path, {}, base)
    lines = [p.removeprefix(f"{path}:").split(":")[0] for p in caught.value.problems]
    assert lines[:4] == ["1", "3", "4", "5"]
    assert lines[4] == "6"


def test_one_wrong_default_is_reported_once(base):
    text = "defaults: {identity_file: nokey}\nnodes: [{name: a}, {name: b}]"
    found = faults(text, base)
    assert len(found) == 1
    assert found[0].startswith("inv.yaml:1: defaults.identity_file: cannot read")


def test_a_file_that_cannot_be_read_is_said(base):
    with pytest.raises(ConfigError, match="cannot read it: No such file"):
        load_inventory(base / "none.yaml", {}, base)
    (base / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not a text file"):
        load_inventory(base / "binary", {}, base)


ANSIBLE = """\
all:
  vars: {ansible_user: ops, ansible_port: 2222, http_port: 80}
  children:
    web:
      vars: {ansible_user: web}
      hosts:
        web-[1:2]:
    live:
      children:
        db:
          hosts:
            Db_1:
              ansible_host: 10.0.0.9
              ansible_ssh_private_key_file: id
              ansible_become: no
              ansible_ssh_common_args: '-o ProxyJump=ops@bastion:22'
"""


def test_ansible_inventories(base):
    inventory = parse(ANSIBLE, base)
    web, _, db = inventory.nodes
    assert inventory.source == "ansible"
    assert (web.name, web.host, web.user, web.port) == ("web-1", "web-1", "web", 2222)
    assert web.labels == {"group.orch.dev/web": "true"}
    assert db == InventoryNode(
        name="db-1",
        host="10.0.0.9",
        port=2222,
        user="ops",
        identity_file=str(base / "id"),
        jump="ops@bastion:22",
        become=False,
        labels={"group.orch.dev/db": "true", "group.orch.dev/live": "true"},
        place=f"{base}/inv.yaml:12",
    )


def test_ansible_variables_go_from_parents_to_children_to_the_host(base):
    text = """\
all: {vars: {ansible_user: one, ansible_port: 1}}
b: {vars: {ansible_user: two, ansible_port: 2}, hosts: {x: {ansible_ssh_port: 3}}}
a: {vars: {ansible_user: three}, children: {b: }}
"""
    node = parse(text, base).nodes[0]
    assert (node.user, node.port) == ("two", 3)
    assert set(node.labels) == {"group.orch.dev/b"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("all:\n  hosts:\n    a: {ansible_port: x}", "inv.yaml:3: all.hosts.a.ansible_port: 'x' is no port"),
        ("all:\n  hosts: {a: }\n  chldren: {}", "inv.yaml:3: all.chldren: unknown key; a group has"),
        ("all:\n  hosts: [a]", "inv.yaml:2: all.hosts: must be a mapping, is a list"),
        ("all: {hosts: {a: {ansible_password: x}}}", "ansible_password: cannot be used; orch logs in with keys"),
        ("all: {hosts: {a: {ansible_host: '{{ ip }}'}}}", "is a template, which only Ansible can fill in"),
        ("all: {hosts: {a: {ansible_connection: winrm}}}", "'winrm' is not ssh"),
        ("all: {hosts: {a: {ansible_ssh_common_args: '-o ProxyCommand=x'}}}", "cannot be honoured; only a jump host"),
        ("all: {hosts: {a: {ansible_become: maybe}}}", "'maybe' is neither true nor false"),
        ("all: {hosts: {'a b': }}", "'a b' is no name for a Node"),
        ("all: {hosts: {'a[2:1]': }}", "runs backwards"),
        ("all: {hosts: {}}", "hosts: there are no hosts"),
        ("all: {children: {x: {children: {x: {hosts: {a: }}}}}}", "group 'x' contains itself"),
        ("all: {hosts: {a: {ansible_host: h}, b: {ansible_host: h}}}", "is also node 'a' at"),
    ],
)  # fmt: skip
def test_ansible_faults(text, problem, base):
    found = faults(text, base)
    assert any(problem in p for p in found), found


SSH = """\
Host web-1 web_2
  HostName %h.example.com
  User ops
Host web_2
  Port 2222
Host db
  HostName 10.0.0.9
  ProxyJump ops@bastion
  IdentityFile {base}/id
  Compression yes
Host * !db
  User = nobody
"""


def test_openssh_configurations(base):
    inventory = parse(SSH.replace("{base}", str(base)), base)
    assert [(n.name, n.host, n.port, n.user, n.jump) for n in inventory.nodes] == [
        ("web-1", "web-1.example.com", 22, "ops", ""),
        ("web-2", "web_2.example.com", 2222, "ops", ""),
        ("db", "10.0.0.9", 22, "", "ops@bastion"),
    ]
    assert inventory.nodes[2].identity_file == f"{base}/id"
    assert inventory.notes == (f"{base}/inv.yaml:10: Compression is for ssh; orch does not use it",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Host a\n  IdentityFile /nonexistent/key", "inv.yaml:2: IdentityFile: cannot read /nonexistent/key"),
        ("Host a\n  ProxyCommand nc %h", "inv.yaml:2: ProxyCommand: cannot be honoured; use ProxyJump"),
        ("Host a\n  Port ssh", "inv.yaml:2: port: 'ssh' is no port"),
        ("Host a\n  Port", "inv.yaml:2: cannot read 'Port'; write Keyword value"),
        ("Host a\nMatch user x\n  User y", "inv.yaml:2: Match: cannot be honoured; use Host"),
        ("Host *\n  User x", "there is no Host without a wildcard"),
        ("Host a\n  HostName h\nHost b\n  HostName h", "inv.yaml:3: host: h, port 22 is also node 'a'"),
        ('Host "a', "close the quotes"),
    ],
)  # fmt: skip
def test_openssh_faults(text, problem, base):
    found = faults(text, base)
    assert any(problem in p for p in found), found


def test_the_example_is_valid(base):
    example = Path(__file__).parents[3] / "inventory.example.yaml"
    text = example.read_text().replace("~/.ssh/id_ed25519", "id")
    inventory = parse(text, base, DEPLOY_USER="deploy")
    assert len(inventory.nodes) == 23
    assert inventory.nodes[-1].host == "203.0.113.120"
