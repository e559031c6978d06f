"""The checks of `orch bootstrap` on a host that is prepared, as a pyinfra deploy.

Runs under pyinfra's own interpreter, once per host and for all hosts at once.
"""

import json
import re
import time

from pyinfra import host
from pyinfra.api.exceptions import PyinfraError
from pyinfra.facts.server import Command, Kernel, KernelVersion, LinuxDistribution

ENGINE = (
    "/usr/bin/python3 -I -S -c 'import socket; s = socket.socket(socket.AF_UNIX); "
    's.connect("/var/run/docker.sock"); s.sendall(b"GET /version HTTP/1.0\\r\\n\\r\\n"); '
    "print(s.makefile().read())'"
)
NAMESPACES = " ".join(f"/proc/self/ns/{n}" for n in ("mnt", "net", "pid", "ipc", "uts"))


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def check(what: str, right: bool) -> None:
    if not right:
        raise PyinfraError(f"{host.name}: {what}")


check("system", host.get_fact(Kernel) == "Linux")
check("kernel", version(host.get_fact(KernelVersion)) >= (3, 10))
check("distribution", bool(host.get_fact(LinuxDistribution)["name"]))
check("python", version(host.get_fact(Command, "/usr/bin/python3 -V")) >= (3, 8))
host.get_fact(Command, f"/usr/bin/python3 -I -S -c 'import {host.data.python_modules}'")
answer = host.get_fact(Command, ENGINE).partition("\n{")[2]
check("engine and socket", version(json.loads("{" + answer)["Version"]) >= (19, 3))
check("clock", abs(float(host.get_fact(Command, "date +%s.%N")) - time.time()) <= 30)
check("disk", int(host.get_fact(Command, "df -Pk /var/lib/docker | tail -1").split()[3]) >= 1 << 20)
features = host.get_fact(
    Command, f"grep -w overlay /proc/filesystems && ls -d {NAMESPACES} && cat /proc/cgroups"
)
check("kernel features", "memory" in features)
sshd = host.get_fact(Command, "sshd -T", _sudo=True)
check("sshd", "allowstreamlocalforwarding yes" in sshd and "disableforwarding no" in sshd)
