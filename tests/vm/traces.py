"""What there is on a VM: packages, files, accounts, units, mounts."""

from concurrent.futures import ThreadPoolExecutor

from tests.vm.machines import Machines

Traces = frozenset[str]

# the folders whose content changes by itself on any Debian: logs, caches, package lists, timers;
# binfmt_misc is mounted by whoever looks there
_SCRIPT = r"""
set -e
dpkg-query -W -f 'package ${db:Status-Abbrev} ${Package} ${Version}\n'
getent passwd | sed 's/^/user /'; getent group | sed 's/^/group /'
units=$(systemctl --root=/ list-unit-files --state=enabled --no-legend --plain)  # asks no daemon
echo "$units" | sed 's/^/unit /; s/  */ /g'
awk '{print "mount " $2 " " $3}' /proc/mounts | grep -v -e ' /run/user/' -e ' binfmt_misc$'
find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path '/var/tmp' \
  -o -path /var/log -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg \
  -o -path /var/lib/systemd -o -path /var/lib/private -o -path /var/backups \) -prune \
  -o -printf 'file %M %u:%g %p\n'
find /run /dev/shm -xdev -name 'orch*' -printf 'file %M %u:%g %p\n'
"""


def traces_of(machines: Machines) -> dict[str, Traces]:
    """One line for each thing that is there, by name of the VM; all VMs are asked at once."""
    names = [host.name for host in machines.hosts]
    with ThreadPoolExecutor(len(names)) as pool:
        texts = pool.map(lambda name: machines.run(name, "sh", "-c", _SCRIPT), names)
        return {name: frozenset(text.splitlines()) for name, text in zip(names, texts, strict=True)}


def differences(before: Traces, after: Traces) -> list[str]:
    """What came and what went, sorted: "+ file ... /etc/x", "- package ..."."""
    came = [f"+ {line}" for line in after - before]
    return sorted(came + [f"- {line}" for line in before - after])
