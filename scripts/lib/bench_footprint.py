"""What orch takes while it rests, and what it leaves on the hosts.

Memory and processor time of the server (three hosts, nothing to do) and of the shim on a host over
30 s; then listings of every host - processes, sockets that listen, files, Docker objects, network
devices, routes, packet filter rules, mounts - before bootstrap, at rest, and after `orch reset`
of hosts on which pods ran with volumes, secrets and several containers. The first and the last are
compared line by line, files with size and time of change. Left out are what Docker keeps for itself
(/var/lib/docker, /run/docker, /run/containerd), /var/log, and the message of the day, which sshd
writes anew at every login.

Bounds: nothing listens beyond sshd, nothing remains, a shim takes at most 20 MB (RSS).
"""

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench_rounds import arguments, conclude, machine, settle
from platform_rig import BenchmarkError, Platform, build_image, run, wait_for

IDLE_S = 30.0
SHOWN = 25
SHIM_LIMIT_MB = 20.0
LISTINGS = {
    # ps itself and the shell around it are the benchmark's
    "processes": "ps -eo user=,args= | grep -v -e 'ps -eo user=' -e 'grep -v'",
    # state 0A is listening, 07 an unconnected UDP socket
    "sockets": 'awk \'FNR > 1 && ($4 == "0A" || $4 == "07") {print FILENAME, $2}\''
    " /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6",
    "unix sockets": "awk '$4 == \"00010000\" {print $8}' /proc/net/unix",
    "files": "find / /run /tmp /dev -xdev"
    r" \( -path /proc -o -path /sys -o -path /var/lib/docker -o -path /var/lib/containerd"
    r" -o -path /run/docker -o -path /run/containerd -o -path /var/log"
    r" -o -path /run/motd.dynamic \) -prune -o"
    r" -type d -printf '%y %m %u:%g %p\n' -o -printf '%y %m %u:%g %p %s bytes, changed %t\n'",
    "containers": "docker ps -a --no-trunc --format '{{.ID}} {{.Names}}'",
    "images": "docker images -a --no-trunc --format '{{.ID}} {{.Repository}}:{{.Tag}}'",
    "volumes": "docker volume ls -q",
    "networks": "docker network ls --no-trunc --format '{{.ID}} {{.Name}}'",
    "devices": "ls /sys/class/net",
    "routes": "cat /proc/net/route /proc/net/ipv6_route",
    "rules": "{ iptables-save; ip6tables-save; } 2>&1 | sed -e '/^# [GC]/d' -e 's/ \\[.*//'",
    "mounts": "cut -d' ' -f1-3 /proc/mounts",
}
MANIFEST = """
apiVersion: v1
kind: Secret
metadata: {name: left}
stringData: {word: behind}
---
apiVersion: v1
kind: Service
metadata: {name: left}
spec:
  selector: {app: left}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: left}
spec:
  replicas: 6
  selector: {matchLabels: {app: left}}
  template:
    metadata: {labels: {app: left}}
    spec:
      terminationGracePeriodSeconds: 0
      volumes:
      - {name: scratch, emptyDir: {}}
      - {name: secret, secret: {secretName: left}}
      containers:
      - name: web
        image: %(image)s
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
        volumeMounts: [{name: scratch, mountPath: /scratch}, {name: secret, mountPath: /secret}]
      - name: beside
        image: %(image)s
        command: [sleep, "100000"]
        volumeMounts: [{name: scratch, mountPath: /scratch}]
"""
Listing = dict[str, list[str]]


@dataclass(frozen=True)
class Process:
    """What a process takes: megabytes and the share of one processor."""

    rss_mb: float
    pss_mb: float
    cpu_s: float


def parse(rollup: str, stat: str) -> Process:
    """From /proc/PID/smaps_rollup and /proc/PID/stat."""
    sizes = {
        words[0]: int(words[1]) / 1024
        for line in rollup.splitlines()
        if (words := line.split())[0] in {"Rss:", "Pss:"}
    }
    fields = stat.rpartition(")")[2].split()
    return Process(sizes["Rss:"], sizes["Pss:"], (int(fields[11]) + int(fields[12])) / 100)


def here(pid: int) -> Process:
    """A process of this machine."""
    folder = Path(f"/proc/{pid}")
    return parse((folder / "smaps_rollup").read_text(), (folder / "stat").read_text())


def shim(platform: Platform, host: str) -> Process:
    """The shim of a host."""
    pids = platform.inside(host, "pgrep -f '/run/orch/shim-[^ ]* serve'; :").split()
    if len(pids) != 1:
        raise BenchmarkError(f"{host}: {len(pids)} shims run, not one")
    text = platform.inside(
        host, f"cat /proc/{pids[0]}/smaps_rollup; echo; cat /proc/{pids[0]}/stat"
    )
    rollup, _, stat = text.partition("\n\n")
    return parse(rollup, stat)


def list_host(platform: Platform, host: str) -> Listing:
    """Everything that orch could leave behind; sorted lines by kind."""
    return {k: sorted(platform.inside(host, c).splitlines()) for k, c in LISTINGS.items()}


def list_all(platform: Platform) -> dict[str, Listing]:
    """Every host's listing."""
    return {host: list_host(platform, host) for host in platform.hosts}


def differences(before: Listing, after: Listing) -> list[str]:
    """Lines that are there more or less often than before, each with its kind and a sign."""
    return [
        f"{'+' if count > 0 else '-'} {kind}: {line}"
        for kind, lines in before.items()
        for line in sorted({*lines, *after[kind]})
        if (count := after[kind].count(line) - lines.count(line))
    ]


def show(title: str, lines: list[str]) -> None:
    """Prints differences, the first of them in full."""
    print(f"\n  {title}:", *lines[:SHOWN], sep="\n    ")
    if len(lines) > SHOWN:
        print(f"    ... and {len(lines) - SHOWN} more")
    print()


def ports(listing: Listing) -> list[str]:
    """TCP and UDP ports that listen, but for Docker's resolver on 127.0.0.11 inside the host."""
    found = set()
    for line in listing["sockets"]:
        file, _, address = line.partition(" ")
        host, _, port = address.rpartition(":")
        if host != "0B00007F":
            found.add(f"{Path(file).name} {int(port, 16)}")
    return sorted(found)


def rest(platform: Platform, runs: int) -> bool:
    """Measures the idle server and the shims; whether the shims are small enough."""
    pid = platform.server_pid()
    settle()
    shares: list[float] = []
    shim_shares: list[float] = []
    for _ in range(runs):
        server, shims = here(pid), {h: shim(platform, h) for h in platform.hosts}
        begun = time.monotonic()
        time.sleep(IDLE_S)  # rest is what is measured; there is no condition to wait for
        passed = time.monotonic() - begun
        server_now, shims_now = here(pid), {h: shim(platform, h) for h in platform.hosts}
        shares.append((server_now.cpu_s - server.cpu_s) / passed * 100)
        shim_shares += [(shims_now[h].cpu_s - shims[h].cpu_s) / passed * 100 for h in shims]
    largest = max(shims_now.values(), key=lambda s: s.rss_mb)
    print(f"\n  {'at rest':24} RSS MB    PSS MB    % of a processor")
    for name, process, share in (
        ("server, 3 hosts", server_now, shares),
        ("shim, the largest of 3", largest, shim_shares),
    ):
        print(
            f"  {name:24}{process.rss_mb:7.1f}{process.pss_mb:10.1f}"
            f"{statistics.median(share):20.2f}"
        )
    good = largest.rss_mb <= SHIM_LIMIT_MB
    print(
        f"\n  {'ok    ' if good else 'MISSED'}  shim / limit = "
        f"{largest.rss_mb / SHIM_LIMIT_MB:.2f}, at most 1.00 of {SHIM_LIMIT_MB:.0f} MB RSS wanted"
    )
    return good


def load_hosts(platform: Platform, image: str) -> None:
    """Pods with all that leaves something on a host, until all are ready."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as manifest:
        manifest.write(MANIFEST % {"image": image})
        manifest.flush()
        run("orch", "apply", "-f", manifest.name)
    run("orch", "rollout", "status", "deploy/left", "--timeout", "120")


def check_ports(before: dict[str, Listing], during: dict[str, Listing]) -> bool:
    """Whether bootstrap opened no port; prints them."""
    good = True
    for host, listing in before.items():
        earlier, now = ports(listing), ports(during[host])
        print(f"  {host}: ports before {earlier}, with orch at rest {now}")
        good &= earlier == now == ["tcp 22", "tcp6 22"]
    print(f"\n  {'ok    ' if good else 'MISSED'}  nothing listens beyond sshd")
    return good


def check_rests(platform: Platform, before: dict[str, Listing]) -> bool:
    """Whether the hosts are as before; gives connections that end a moment."""

    def left() -> dict[str, list[str]]:
        now = list_all(platform)
        return {h: d for h in before if (d := differences(before[h], now[h]))}

    try:
        wait_for("nothing remains", lambda: not left(), 15.0)
    except BenchmarkError:
        for host, lines in left().items():
            show(f"{host}, after reset, compared with before bootstrap", lines)
        print("  MISSED  nothing remains")
        return False
    count = sum(len(lines) for listing in before.values() for lines in listing.values())
    print(f"\n  ok      nothing remains: all {count} lines of {len(before)} hosts are as before")
    return True


def main() -> bool:
    flags = arguments(__doc__, runs=1)
    print(f"footprint of orch on 3 local hosts, {flags.runs} x {IDLE_S:.0f} s; {machine()}")
    image = build_image()
    with Platform(3, name="foot", bootstrap=False, image=image) as platform:
        before = list_all(platform)
        platform.bootstrap()
        small = rest(platform, flags.runs)
        during = list_all(platform)
        host = platform.hosts[0]
        title = f"{host}, with orch at rest, compared with before bootstrap"
        show(title, differences(before[host], during[host]))
        closed = check_ports(before, during)
        load_hosts(platform, image)
        run("orch", "reset", str(platform.inventory), "--yes")
        clean = check_rests(platform, before)
    return small and closed and clean


if __name__ == "__main__":
    conclude(main)
