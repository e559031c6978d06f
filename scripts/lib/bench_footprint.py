"""Footprint: server and shim at rest, and what is open and left on a host.

Prints memory and CPU of the idle server (three hosts) and of an idle shim, the listening sockets
and the files of a host before bootstrap, during, and after `orch reset`.
"""

import time
from pathlib import Path

from platform_rig import Platform, run, wait_for

IDLE_S = 30.0
FILES = (
    "sudo find / -xdev -path /proc -prune -o -path /sys -prune -o -newer /tmp/.mark -type f -print"
)


def smaps_mb(pid: int) -> float:
    """Proportional set size of a process, megabytes."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no Pss for {pid}")


def cpu_s(pid: int) -> float:
    """User and system seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100.0


def listening(platform: Platform, host: str) -> list[str]:
    """Addresses that a host listens on, beyond loopback resolvers."""
    lines = platform.ssh(host, "sudo cat /proc/net/tcp /proc/net/tcp6").splitlines()
    found = set()
    for line in lines:
        fields = line.split()
        if len(fields) > 3 and fields[3] == "0A":
            address, _, port = fields[1].rpartition(":")
            if not address.endswith("0B00007F"):  # Docker's own resolver in the rig's network
                found.add(int(port, 16))
    return [str(p) for p in sorted(found)]


def inventory_of(platform: Platform, host: str) -> dict[str, set[str]]:
    """What orch could leave behind on a host."""
    commands = {
        "containers": "sudo docker ps -aq",
        "networks": "sudo docker network ls -q",
        "volumes": "sudo docker volume ls -q",
        "images": "sudo docker images -q",
        "run": "sudo find /run /dev/shm -not -path '/run/docker*' -not -path '/run/containerd*' "
        "-not -path '/run/sudo*' -not -path '/run/utmp*'",
        "processes": "ps -eo args= | grep -v -e '^ps ' -e '^sshd' -e '^sudo' -e '^grep' "
        "-e '^sort' -e '^bash' -e '^sh -c' -e 'containerd-shim' | sort -u",
        "rules": "sudo iptables-save | grep -v '^#' | sed 's/\\[.*//'",
        "home": "find ~ -type f",
    }
    return {k: set(platform.ssh(host, c).splitlines()) for k, c in commands.items()}


def main() -> None:
    with Platform(3, name="footprint", bootstrap=False) as platform:
        host = platform.hosts[0]
        before, ports_before = inventory_of(platform, host), listening(platform, host)
        platform.bootstrap()
        state = platform.folder / "platform"
        server = int((state / "server.pid").read_text())
        time.sleep(5.0)  # let start-up work end; a benchmark measures rest
        begun, used = time.monotonic(), cpu_s(server)
        shim = platform.ssh(host, "pgrep -f 'orch.*shim|agentshim' | head -1").strip()
        shim_before = platform.ssh(host, f"cat /proc/{shim}/stat")
        time.sleep(IDLE_S)
        share = (cpu_s(server) - used) / (time.monotonic() - begun)
        shim_after = platform.ssh(host, f"cat /proc/{shim}/stat")
        rss = platform.ssh(host, f"sudo grep -e Rss -e Pss: /proc/{shim}/smaps_rollup")
        ports_during = listening(platform, host)
        print(
            f"server, idle, 3 hosts: {smaps_mb(server):.0f} MB PSS, {share * 100:.2f} % of a core"
        )

        def ticks(stat: str) -> int:
            fields = stat.rpartition(")")[2].split()
            return int(fields[11]) + int(fields[12])

        shim_share = (ticks(shim_after) - ticks(shim_before)) / 100.0 / IDLE_S
        sizes = {
            line.split()[0].rstrip(":"): int(line.split()[1]) / 1024 for line in rss.splitlines()
        }
        print(
            f"shim, idle: {sizes['Rss']:.1f} MB RSS, {sizes['Pss']:.1f} MB PSS (limit 20), "
            f"{shim_share * 100:.2f} % of a core"
        )
        run("orch", "reset", str(platform.inventory), "--yes")
        wait_for("the shim is gone", lambda: not platform.ssh(host, f"ls -d /proc/{shim} || :"))
        after, ports_after = inventory_of(platform, host), listening(platform, host)
        print(f"listening ports on a host: before {ports_before}, during {ports_during}, "
              f"after {ports_after}")  # fmt: skip
        clean = ports_before == ports_during == ports_after
        for what, found in before.items():
            new = after[what] - found
            if new:
                clean = False
                print(f"left behind, {what}: {sorted(new)}")
        print("nothing listens beyond sshd, nothing remains" if clean else "NOT CLEAN")
        if not clean or sizes["Rss"] > 20:
            raise SystemExit(1)


if __name__ == "__main__":
    main()
