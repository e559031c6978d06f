"""Bare VMs become Nodes: whatever they lack, Docker included, is installed by bootstrap."""

import json

from tests.rig.watching import NODES, nodes_ready


def test_the_vms_are_bare_and_the_plan_says_what_they_lack(booted, untouched):
    answer = booted.up("--dry-run", "--json")
    assert answer.code == 0, answer.out + answer.err
    planned = [
        (event["node"], event["detail"])
        for event in map(json.loads, answer.out.splitlines())
        if event.get("state") == "planned" and event["node"]
    ]
    for host in booted.rig.hosts:
        assert not [x for x in untouched[host.name] if x.startswith("package") and "docker" in x]
        assert (host.name, "install docker.io") in planned
        assert (host.name, "register as Node") in planned
    assert not (booted.state_dir / "server.pid").exists()


def test_bootstrap_makes_them_ready_nodes(platform, api, untouched):
    names = {host.name for host in platform.rig.hosts}
    assert nodes_ready(api) == names
    versions = {
        n["metadata"]["name"]: n["status"]["nodeInfo"]["containerRuntimeVersion"]
        for n in api.get(NODES)["items"]
    }
    for host in platform.rig.hosts:
        installed = platform.rig.run(host.name, "dpkg-query", "-W", "-f", "${Version}", "docker.io")
        assert installed.startswith(versions[host.name].removeprefix("docker://"))


def test_a_vm_has_its_whole_disk_a_data_disk_and_its_name(platform):
    for host in platform.rig.hosts:
        size = platform.rig.run(host.name, "df", "--output=size", "-BG", "/").split()[-1]
        assert int(size.rstrip("G")) >= 18
        disks = platform.rig.run(host.name, "lsblk", "-dno", "TYPE,SIZE").splitlines()
        assert len([d for d in disks if d.startswith("disk")]) == 2
        assert platform.rig.run(host.name, "hostname").strip() == host.name


def test_up_again_changes_nothing(platform, api):
    hosts = [h.name for h in platform.rig.hosts]
    inventory = platform.rig.inventory
    written = (inventory.stat().st_mtime_ns, inventory.read_text())
    boots = [platform.rig.boot_id(h) for h in hosts]
    server = (platform.state_dir / "server.pid").read_text()
    answer = platform.up("--json")
    assert answer.code == 0, answer.out + answer.err
    *events, last = [json.loads(line) for line in answer.out.splitlines()]
    assert [e for e in events if e["state"] in {"changed", "warning", "failed"}] == []
    assert [h["changes"] for h in last["summary"]["hosts"]] == [[] for _ in hosts]
    assert (inventory.stat().st_mtime_ns, inventory.read_text()) == written
    assert [platform.rig.boot_id(h) for h in hosts] == boots
    assert (platform.state_dir / "server.pid").read_text() == server
