"""Takes everything of ours off a host: a script that root runs there, through Python's library.

Containers, networks, volumes and the pause image go through the engine's socket, found by label;
shims are found by what their process runs; files are those below our own directories. What comes
back is a list of what was removed. A second run removes nothing.
"""

import shlex
from typing import Final

from orchestrator.api.names import CONTAINER_CLUSTER
from orchestrator.bootstrap.connect import HostConnection
from orchestrator.bootstrap.facts import SOCKET, HostFacts, shell_command
from orchestrator.bootstrap.plan import APT, ENGINE_PACKAGES, package_family
from orchestrator.bootstrap.runner import last_words, run_step
from orchestrator.bootstrap.state import HostChanges
from orchestrator.kit.errors import ExecFailed

PAUSE_IMAGE: Final = "orch.dev/pause"

_PROGRAM: Final = r"""
import http.client, json, os, re, shutil, signal, socket, subprocess, sys, time
SOCKET, LABEL, PAUSE = sys.argv[1:4]
removed, problems = [], []

class Engine(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(120)
        self.sock.connect(SOCKET)

def call(method, path):
    engine = Engine("docker")
    engine.request(method, path)
    answer = engine.getresponse()
    body = answer.read()
    engine.close()
    if answer.status >= 400 and answer.status != 404:
        problems.append("%s %s: %s" % (method, path, body.decode("utf-8", "replace").strip()))
    return json.loads(body) if body[:1] in (b"{", b"[") and answer.status < 400 else []

def shims():
    mine = {os.getpid(), os.getppid()}
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) in mine:
            continue
        try:
            with open("/proc/%s/cmdline" % entry, "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if any(re.match(rb"(/run|/dev/shm|/run/user/\d+)/orch[^/]*/", word) for word in words[:8]):
            yield int(entry)

def kill_shims():
    for attempt in range(50):
        found = list(shims())
        if not found:
            return
        if attempt == 0:
            removed.append("%d shim processes" % len(found))
        for pid in found:
            try:
                os.kill(pid, signal.SIGTERM if attempt < 20 else signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.1)
    problems.append("shim processes do not end: %s" % found)

kill_shims()
if os.path.exists(SOCKET):
    try:
        query = "filters=" + json.dumps({"label": [LABEL]}, separators=(",", ":"))
        query = query.replace('"', "%22").replace("{", "%7B").replace("}", "%7D")
        found = call("GET", "/containers/json?all=1&" + query)
        for item in found:
            call("DELETE", "/containers/%s?force=1&v=1" % item["Id"])
        if found:
            removed.append("%d containers" % len(found))
        for kind, name in (("networks", "Id"), ("volumes", "Name")):
            listed = call("GET", "/%s?%s" % (kind, query))
            items = (listed.get("Volumes") or []) if isinstance(listed, dict) else listed
            for item in items:
                call("DELETE", "/%s/%s" % (kind, item[name]))
            if items:
                removed.append("%d %s" % (len(items), kind))
        for image in call("GET", "/images/json"):
            for tag in image.get("RepoTags") or []:
                if tag == PAUSE or tag.startswith(PAUSE + ":"):
                    call("DELETE", "/images/%s?force=1" % tag)
                    removed.append("image " + tag)
    except OSError as error:
        problems.append("the engine at %s: %s" % (SOCKET, error))

places = ["/run/orch"]
for folder, pattern in (("/dev/shm", r"orch($|[-.])"), ("/run/user", r"\d+$")):
    for entry in os.listdir(folder) if os.path.isdir(folder) else []:
        if re.match(pattern, entry):
            path = os.path.join(folder, entry)
            places.append(os.path.join(path, "orch") if folder == "/run/user" else path)
with open("/proc/mounts") as file:
    mounts = [line.split(" ")[1].replace("\\040", " ") for line in file]
for place in places:
    for mount in sorted(mounts, reverse=True):
        if mount == place or mount.startswith(place + "/"):
            subprocess.call(["umount", "-l", mount])
    if os.path.lexists(place):
        shutil.rmtree(place, ignore_errors=True)
        if os.path.lexists(place):
            problems.append("cannot remove " + place)
        else:
            removed.append(place)
print("; ".join(removed))
if problems:
    sys.stderr.write("; ".join(problems) + "\n")
    sys.exit(1)
"""

_STOP_ENGINE: Final = r"""
for name in dockerd containerd; do
  for i in 1 2 3 4 5 6 7 8 9 10; do
    pids=$(pidof "$name") || break
    kill $pids; sleep 1
  done
done
"""
"""Where no service manager runs it, the package does not stop an engine."""

_REMOVE_KEPT: Final = r"""
for place in /var/lib/docker /var/lib/containerd /opt/containerd /etc/docker /run/docker \
  /run/containerd; do
  [ -d "$place" ] || continue
  awk -v "below=$place/" 'index($5, below) == 1 {print $5}' /proc/self/mountinfo | sort -r |
    while read -r mount; do umount -l "$mount"; done
  find -H "$place" -xdev -mindepth 1 -delete
  rmdir "$place" 2>/dev/null || :
done
rmdir /etc/cni/net.d /etc/cni 2>/dev/null || :
! [ -d /sys/class/net/docker0 ] || ip link delete docker0
case "$(getent group docker)" in *:) groupdel docker ;; esac
"""
"""What an engine leaves behind that was ours from the start; a place may be a disk of its own."""


def clean_host(
    connection: HostConnection, facts: HostFacts, changes: HostChanges, *, purge: bool
) -> tuple[str, str]:
    """Removes everything of ours; (what was removed, what is left) in words, "" for nothing.

    Args:
        connection: open.
        facts: of the host.
        changes: what bootstrap once changed there; its group memberships are taken back.
        purge: whether the packages that bootstrap installed go too, an engine with its data.

    Raises:
        ExecFailed: something could not be removed; says what. Nothing was, where packages are to
            go that others need.
        ChannelLost: the connection broke.
    """
    removed = []
    if changes.packages and purge and package_family(facts) == "apt":
        run_step(connection, facts, _needed_script(changes.packages))
    if facts.python:
        removed.append(_run_program(connection, facts))
    for group in changes.groups:
        if group in facts.groups and changes.user == facts.user:
            run_step(connection, facts, f"gpasswd -d {facts.user} {group} >/dev/null")
            removed.append(f"{facts.user}'s membership of group {group}")
    left = ""
    if changes.packages and purge:
        run_step(connection, facts, _purge_script(facts, changes.packages))
        removed.append(f"packages {' '.join(changes.packages)}")
    elif changes.packages:
        left = f"packages {' '.join(changes.packages)} (--purge removes them)"
    return "; ".join(r for r in removed if r), left


def _run_program(connection: HostConnection, facts: HostFacts) -> str:
    words = [facts.python_path, "-I", "-S", "-c", _PROGRAM, SOCKET, CONTAINER_CLUSTER, PAUSE_IMAGE]
    command = shlex.join(words)
    if facts.sudo == "yes":
        command = f"sudo -n {command}"
    result = connection.run(shell_command(command))
    if result.status:
        raise ExecFailed(
            f"cannot remove everything: {last_words(result.stderr) or 'it said nothing'}",
            node=connection.node.name,
            operation="clean",
            status=result.status,
            stderr=result.stderr[-4096:],
        )
    return result.stdout.strip()


def _needed_script(packages: tuple[str, ...]) -> str:
    """Fails where other packages need them: who installed those is to decide."""
    names, lines = " ".join(packages), "\n".join(packages)
    return (
        f"others=$({APT} -s purge {names} | awk '/^(Purg|Remv) / {{print $2}}' | "
        f"grep -vxF '{lines}')\n"
        f'[ -z "$others" ] || {{ echo "other packages need {names}:" $others >&2; exit 1; }}'
    )


def _purge_script(facts: HostFacts, packages: tuple[str, ...]) -> str:
    names = " ".join(packages)
    if package_family(facts) == "apt":
        script = f"{APT} purge -y {names} >/dev/null || exit"
    else:
        script = f"for name in {names}; do {facts.package_manager} remove -y -q $name || :; done"
    engines = {name for family in ENGINE_PACKAGES.values() for name in family}
    if engines.isdisjoint(packages):
        return script
    stop = "" if facts.systemd else _STOP_ENGINE
    return f"{stop}{script}\n{_REMOVE_KEPT}"
