"""`reset` leaves the VMs as they were, and `down` leaves nothing at all."""

import subprocess
from pathlib import Path

from tests.vm.traces import differences, traces_of

LIBVIRT = ("/etc/libvirt", "/run/libvirt", "/var/lib/libvirt", "/var/log/libvirt")


def test_reset_leaves_the_vms_as_they_were(platform, untouched):
    platform.rig.do("reset")
    left = {n: differences(untouched[n], after) for n, after in traces_of(platform.rig).items()}
    assert left == {name: [] for name in untouched}


def test_down_leaves_no_vm_network_volume_or_file(booted):
    rig = booted.rig
    vagrants = rig.environment.get("VAGRANT_HOME", Path.home() / ".vagrant.d")
    indexed = ["grep", "-qF", str(rig.directory), Path(vagrants) / "data/machine-index/index"]
    if Path(LIBVIRT[0]).is_dir():
        assert libvirts_files(rig.name)  # the places that are looked at are the right ones
    assert subprocess.run(indexed, check=False).returncode == 0
    rig.do("down")
    assert not rig.directory.exists()
    assert libvirts_files(rig.name) == []
    assert subprocess.run(indexed, check=False).returncode == 1
    links = subprocess.run(["ip", "-br", "addr"], capture_output=True, text=True, check=True)
    assert f"{rig.environment['ORCH_VM_SUBNET']}." not in links.stdout
    assert rig.cluster("status").code == 1


def libvirts_files(cluster):
    """What libvirt keeps of a cluster's domains, networks, pool and volumes."""
    return [p for place in LIBVIRT for p in Path(place).rglob(f"*{cluster}*")]
