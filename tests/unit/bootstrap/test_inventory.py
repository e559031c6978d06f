from pathlib import Path

import pytest

from orchestrator.bootstrap.inventory.load import load_inventory, parse_inventory
from orchestrator.bootstrap.inventory.model import HostEntry, Inventory, TaintEntry
from orchestrator.kit.errors import ConfigError


def parse(text: str, base: Path, **env: str) -> tuple[Inventory, list[str]]:
    return parse_inventory(text, "inv.yaml", base, env)


def test_defaults_are_merged_into_every_node(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("key")
    text = """\
cluster: prod
defaults: {user: ops, port: 2200, identity_file: id, become: true, labels: {env: live}}
network: {backend: none}
nodes:
  - {name: web-1, host: 203.0.113.10, labels: {zone: a}}
  - {name: db-1, host: db.example.com, port: 2222, jump: ops@bastion.example.com,
     taints: ["dedicated=db:NoSchedule"], capacity: {cpu: "3", memory: 6Gi}, become: false}
"""
    inventory, problems = parse(text, tmp_path)
    assert problems == []
    key = str(tmp_path / "id")
    assert inventory.cluster == "prod"
    assert inventory.hosts == (
        HostEntry(
            name="web-1", host="203.0.113.10", port=2200, user="ops", identity_file=key,
            labels={"env": "live", "zone": "a"}, place="inv.yaml:5",
        ),
        HostEntry(
            name="db-1", host="db.example.com", port=2222, user="ops", identity_file=key,
            jump="ops@bastion.example.com", become=False, labels={"env": "live"},
            taints=(TaintEntry("dedicated", "db", "NoSchedule"),),
            capacity={"cpu": "3", "memory": "6Gi"}, place="inv.yaml:6",
        ),
    )  # fmt: skip


def test_ranges_step_together_and_keep_zeros(tmp_path: Path) -> None:
    text = "nodes:\n  - {name: 'web-[08:10]', host: '10.0.0.[108:110]'}\n"
    inventory, problems = parse(text, tmp_path)
    assert problems == []
    assert [(h.name, h.host) for h in inventory.hosts] == [
        ("web-08", "10.0.0.108"),
        ("web-09", "10.0.0.109"),
        ("web-10", "10.0.0.110"),
    ]


def test_a_name_alone_is_its_own_address(tmp_path: Path) -> None:
    inventory, problems = parse("nodes: [{name: web-1.example.com}]", tmp_path)
    assert problems == []
    assert inventory.hosts[0].host == "web-1.example.com"


def test_environment_references(tmp_path: Path) -> None:
    text = "nodes: [{name: a, host: '${WEB}', user: 'x$$y'}]"
    inventory, problems = parse(text, tmp_path, WEB="10.0.0.1")
    assert problems == []
    assert (inventory.hosts[0].host, inventory.hosts[0].user) == ("10.0.0.1", "x$y")
    _, problems = parse(text, tmp_path)
    assert problems == [
        "inv.yaml:1: nodes[0].host: ${WEB} is not set; export WEB=... before running orch"
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nodes: [{nam: a}]", "inv.yaml:1: nodes[0].nam: unknown key; did you mean 'name'?"),
        ("nodes:\n- {name: A_b}", "inv.yaml:2: nodes[0].name: 'A_b' is no node name; "),
        ("nodes:\n- {name: a, port: 70000}", "inv.yaml:2: nodes[0].port: '70000' is out of range"),
        ("nodes:\n- {name: a, port: ssh}", "inv.yaml:2: nodes[0].port: 'ssh' is out of range"),
        ("nodes:\n- {name: a, host: ops@h}", "'ops@h' holds a user; put the user under the key"),
        ("nodes:\n- {name: a, host: 'h:22'}", "'h:22' holds a port; put the port under the key"),
        ("nodes:\n- {name: a, become: maybe}", "nodes[0].become: is text; must be true or false"),
        ("nodes:\n- {name: a, taints: [x]}", "nodes[0].taints[0]: 'x' is no taint; write"),
        ("nodes:\n- {name: a, taints: ['x:No']}", "effect 'No' is unknown; one of NoSchedule"),
        ("nodes:\n- {name: a, capacity: {cpu: lots}}", "'lots' is no quantity; cores"),
        ("nodes:\n- {name: a, capacity: {gpu: 1}}", "capacity.gpu: unknown resource; known: cpu"),
        ("nodes:\n- {name: a, labels: {'-x': y}}", "labels.-x: is no label key"),
        ("nodes:\n- {name: a, identity_file: nokey}", "identity_file: no such file: "),
        ("nodes:\n- {name: a, jump: 'a b'}", "jump: 'a b' is no jump host; user@host"),
        ("nodes:\n- {name: a}\n- {name: a, host: b}", "inv.yaml:3: name: 'a' is already at"),
        ("nodes:\n- {name: a}\n- {name: b, host: a}", "host: a:22 is already node 'a' at"),
        ("nodes:\n- {name: 'a[3:1]'}", "a range runs backwards"),
        ("nodes:\n- {name: 'a[1:3]', host: h}", "gives 1 address(es) for 3 name(s)"),
        ("nodes:\n- {name: a, name: b}", "nodes[0].name: is given twice"),
        ("nodes: web-1", "inv.yaml:1: nodes: is text; must be a list"),
        ("nodes: []", "inv.yaml:1: nodes: is empty; name at least one host"),
        ("cluster: x", "inv.yaml:1: nodes: missing"),
        ("network: {backend: overlay}\nnodes: [{name: a}]", "'overlay' is not supported; none"),
        ("- a\n", "inv.yaml:1: is a list; an inventory is a mapping with the key 'nodes'"),
        ("", "inv.yaml:1: is empty; an inventory is"),
        ("nodes: [\n", "not YAML"),
        ("nodes:\n- {name: yes}", 'inv.yaml:2: nodes[0].name: yes is no text; write it as "yes"'),
    ],
)  # fmt: skip
def test_each_fault_names_its_place_and_what_would_be_right(
    text: str, problem: str, tmp_path: Path
) -> None:
    _, problems = parse(text, tmp_path)
    assert any(problem in p for p in problems), problems
    assert all(p.startswith("inv.yaml:") for p in problems)


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(
        "clustr: x\nnodes:\n- {name: a, port: 0}\n- {host: h}\n- {name: b, labls: {}}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_inventory(path, {})
    lines = [p.removeprefix(f"{path}:").split(":")[0] for p in caught.value.problems]
    assert sorted(lines) == ["1", "3", "4", "5"]


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_inventory(tmp_path / "none.yaml", {})


ANSIBLE = """\
all:
  vars: {ansible_user: ops, ansible_port: 2222, http_port: 80}
  children:
    web:
      vars: {ansible_user: web}
      hosts:
        web-[1:2]: {ansible_host: 10.0.0.1}
    live:
      children:
        db:
          hosts:
            Db_1:
              ansible_host: 10.0.0.9
              ansible_ssh_private_key_file: id
              ansible_become: false
              ansible_ssh_common_args: '-o ProxyJump=ops@bastion:22'
"""


def test_ansible_inventories(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("key")
    inventory, problems = parse(ANSIBLE.replace("ansible_host: 10.0.0.1}", "}"), tmp_path)
    assert problems == []
    web, _, db = inventory.hosts
    assert (web.name, web.host, web.user, web.port) == ("web-1", "web-1", "web", 2222)
    assert web.labels == {"orch.dev/group.web": "true"}
    assert db == HostEntry(
        name="db-1",
        host="10.0.0.9",
        port=2222,
        user="ops",
        identity_file=str(tmp_path / "id"),
        jump="ops@bastion:22",
        become=False,
        labels={"orch.dev/group.db": "true", "orch.dev/group.live": "true"},
        place="inv.yaml:12",
    )


def test_ansible_faults_have_lines(tmp_path: Path) -> None:
    _, problems = parse("all:\n  hosts:\n    a: {ansible_port: x}\n  chldren: {}\n", tmp_path)
    assert problems == [
        "inv.yaml:4: all.chldren: unknown key; did you mean 'children'?",
        "inv.yaml:3: all.hosts.a.ansible_port: 'x' is out of range; a whole number from 1 to 65535",
    ]
    _, problems = parse(ANSIBLE, tmp_path)
    assert any("host: 10.0.0.1:2222 is already node 'web-1'" in p for p in problems)


def test_openssh_configurations(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("key")
    text = f"""\
Host web-1 web_2
  HostName 10.0.0.1
  User ops
Host web_2
  Port 2222
Host db
  HostName 10.0.0.9
  ProxyJump ops@bastion
  IdentityFile {tmp_path}/id
Host *
  User nobody
"""
    inventory, problems = parse(text, tmp_path)
    assert problems == []
    assert [(h.name, h.host, h.port, h.user, h.jump) for h in inventory.hosts] == [
        ("web-1", "10.0.0.1", 22, "ops", ""),
        ("web-2", "10.0.0.1", 2222, "ops", ""),
        ("db", "10.0.0.9", 22, "nobody", "ops@bastion"),
    ]
    assert inventory.hosts[2].identity_file == f"{tmp_path}/id"
    _, problems = parse(text.replace(f"{tmp_path}/id", "/nonexistent/key"), tmp_path)
    assert problems == [
        "inv.yaml:6: Host db: IdentityFile: no such file: /nonexistent/key; "
        "the path of a private key, relative to this file"
    ]


def test_the_example_is_valid(tmp_path: Path) -> None:
    example = Path(__file__).parents[3] / "inventory.example.yaml"
    text = example.read_text().replace("~/.ssh/id_ed25519", "id")
    (tmp_path / "id").write_text("key")
    inventory, problems = parse(text, tmp_path, DEPLOY_USER="deploy")
    assert problems == []
    assert len(inventory.hosts) == 23
