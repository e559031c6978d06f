"""What bootstrap wants to know of a host, asked in one command over one connection.

The command is plain POSIX sh, so that a host without Python can be asked as well; where Python is
there, it asks the engine's socket itself, which needs no docker command. `parse_facts` is pure.
"""

import base64
import shlex
from dataclasses import dataclass
from typing import Final, Literal

SOCKET: Final = "/var/run/docker.sock"
PYTHON_MODULES: Final = (
    "binascii", "collections", "fcntl", "functools", "hashlib", "heapq", "itertools", "json", "os",
    "pwd", "queue", "selectors", "signal", "socket", "ssl", "stat", "struct", "subprocess",
    "threading", "traceback", "typing", "urllib.parse", "zipimport",
)  # fmt: skip
"""What the shim imports; the minimal Python packages of some distributions lack a part of it."""

SocketState = Literal["ok", "absent", "denied", "silent"]

# Without -S a site-packages full of .pth files may cost a second.
_PROBE = """
import os, socket, sys
def ask(path):
    if not os.path.exists(path):
        return "absent", "", ""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(10)
    try:
        s.connect(path)
        s.sendall(b"GET /version HTTP/1.0\\r\\nHost: docker\\r\\n\\r\\n")
        data = b""
        while True:
            piece = s.recv(65536)
            if not piece:
                break
            data += piece
    except PermissionError:
        return "denied", "", ""
    except OSError as error:
        return "silent", "", str(error)
    try:
        import json
        body = json.loads(data.partition(b"\\r\\n\\r\\n")[2].decode())
        return "ok", body["Version"] + " " + body["ApiVersion"], ""
    except Exception as error:
        return "silent", "", "the socket does not speak Docker: %r" % (data[:80],)
missing = []
if sys.argv[2] != "root":
    print("python=%d.%d.%d" % sys.version_info[:3])
    import importlib.util
    for name in sys.argv[3:]:
        try:
            found = importlib.util.find_spec(name)
        except ImportError:
            found = None
        if found is None:
            missing.append(name)
    print("python_missing=" + " ".join(missing))
state, version, words = ask(sys.argv[1])
prefix = "root_" if sys.argv[2] == "root" else ""
print(prefix + "socket=" + state)
print(prefix + "engine=" + version)
print(prefix + "engine_words=" + words.replace("\\n", " "))
"""

_SCRIPT = r"""
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH LC_ALL=C
say() { printf '%s=%s\n' "$1" "$2"; }
has() { command -v "$1" >/dev/null 2>&1; }
say clock "$(date +%s.%N)"
if [ -r /etc/os-release ]; then
  . /etc/os-release
  say os_id "$ID"; say os_like "$ID_LIKE"; say os_name "$PRETTY_NAME"
fi
set -- $(uname -srm)
say system "$1"; say kernel "$2"; say machine "$3"
say user "$(id -un)"; say uid "$(id -u)"; say groups "$(id -Gn)"
for i in apt-get dnf yum zypper apk pacman; do has $i && { say package_manager $i; break; }; done
[ -d /run/systemd/system ] && say init systemd
[ -x /etc/init.d/docker ] && has service && say service yes
has dockerd && say dockerd yes
on=; file=/sys/module/apparmor/parameters/enabled; [ -r $file ] && read -r on <$file
[ "$on" = Y ] && [ -d /sys/kernel/security/apparmor ] && ! has apparmor_parser &&
  say apparmor_parser no
dir=/var/lib/docker; while [ ! -d "$dir" ]; do dir=${dir%/*}; [ -n "$dir" ] || dir=/; done
set -- $(df -Pk "$dir" | tail -n 1); say disk_free_kib "$4"; say disk_path "$dir"
has nproc && say cpus "$(nproc)"
while read -r key value _; do
  [ "$key" = MemTotal: ] && { say memory_kib "$value"; break; }
done </proc/meminfo
overlay=no
while read -r a b; do [ "${b:-$a}" = overlay ] && overlay=yes; done </proc/filesystems
[ $overlay = no ] && [ -e "/lib/modules/$(uname -r)/kernel/fs/overlayfs" ] && overlay=yes
say overlay $overlay
controllers=
[ -r /proc/cgroups ] && while read -r name _ _ on; do
  [ "$on" = 1 ] && controllers="$controllers $name"
done </proc/cgroups
[ -r /sys/fs/cgroup/cgroup.controllers ] && {
  say cgroup 2; controllers=$(cat /sys/fs/cgroup/cgroup.controllers); }
say controllers "$controllers"
for i in mnt net pid ipc uts; do [ -e /proc/self/ns/$i ] || missing="$missing $i"; done
say missing_namespaces "$missing"
python=
for i in python3 /usr/libexec/platform-python; do has $i && { python=$i; break; }; done
if [ -n "$python" ]; then
  say python_path "$(command -v $python)"
  answer=$("$python" -I -S -c "$PROBE" "$SOCKET" user $MODULES 2>&1)
  printf '%s\n' "$answer"
  case $answer in *socket=ok*) reached=yes ;; esac
elif has docker && answer=$(docker version --format "$VERSIONS" 2>/dev/null); then
  say socket ok; say engine "$answer"; reached=yes
elif [ -S "$SOCKET" ]; then
  if [ -w "$SOCKET" ]; then say socket silent; else say socket denied; fi
fi
root() {
  sshd -T 2>/dev/null | while read -r key value; do
    case $key in allowstreamlocalforwarding|disableforwarding|maxsessions) say $key "$value";; esac
  done
  if [ -n "$reached" ]; then say root_socket ok
  elif [ -n "$python" ]; then
    "$python" -I -S -c "$PROBE" "$SOCKET" root
  elif has docker; then
    answer=$(docker version --format "$VERSIONS" 2>/dev/null) && {
      say root_socket ok; say root_engine "$answer"; }
  fi
}
if [ "$(id -u)" = 0 ]; then
  say sudo root; root
elif [ "$BECOME" = yes ]; then
  if ! has sudo; then say sudo absent
  else
    words=$(sudo -n PROBE="$PROBE" SOCKET="$SOCKET" python="$python" reached="$reached" \
      VERSIONS="$VERSIONS" sh -c "$ROOT" 2>&1) &&
      { say sudo yes; printf '%s\n' "$words"; } || {
        say sudo no; say sudo_words "$(printf %s "$words" | tail -n 1)"; }
  fi
else
  say sudo unused
fi
say done yes
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What a host is and has.

    Attributes:
        system: "Linux".
        os_id: ID of os-release: "debian", "ubuntu", "fedora", "rhel", ...
        os_like: words of ID_LIKE.
        os_name: for people.
        kernel: release.
        machine: "x86_64", "aarch64", ...
        user: login.
        uid: of the login.
        groups: of the login, in this session.
        sudo: "root" (the login is root), "yes", "no", "absent" or "unused" (become is false).
        sudo_words: what sudo said.
        package_manager: "apt-get", "dnf", "yum", ...; "" for none known.
        systemd: whether it is process 1.
        service: whether a service script for docker is there.
        dockerd: whether it is installed.
        lacks_apparmor_parser: whether the kernel has AppArmor on and nothing can load a profile.
        socket: the engine's socket as the login sees it.
        engine: the engine's version; "" unless the socket answers to login or root.
        engine_words: why the socket does not answer.
        root_socket: the socket as root sees it; "absent" when root was not asked.
        python: version; "" for none.
        python_path: where it is.
        python_missing: modules of the standard library that it lacks.
        clock_s: wall clock, seconds since the epoch.
        cpus: processors that may be used.
        memory_bytes: of the host.
        disk_free_bytes: for the engine's data.
        disk_path: where that was measured.
        overlay: whether the kernel has the overlay file system.
        cgroup: version, 1 or 2.
        controllers: control group controllers that are on.
        missing_namespaces: kinds that the kernel lacks.
        sshd_forwards: whether sshd lets Unix sockets be forwarded, as far as it says.
    """

    system: str
    os_id: str
    os_like: tuple[str, ...]
    os_name: str
    kernel: str
    machine: str
    user: str
    uid: int
    groups: tuple[str, ...]
    sudo: str
    sudo_words: str
    package_manager: str
    systemd: bool
    service: bool
    dockerd: bool
    lacks_apparmor_parser: bool
    socket: SocketState
    engine: str
    engine_words: str
    root_socket: SocketState
    python: str
    python_path: str
    python_missing: tuple[str, ...]
    clock_s: float
    cpus: int
    memory_bytes: int
    disk_free_bytes: int
    disk_path: str
    overlay: bool
    cgroup: int
    controllers: tuple[str, ...]
    missing_namespaces: tuple[str, ...]
    sshd_forwards: bool

    @property
    def privileged(self) -> bool:
        """Whether commands can be run as root."""
        return self.sudo in {"root", "yes"}


class FactsError(ValueError):
    """The host's answer is not what the command prints."""


def facts_command(*, become: bool) -> str:
    """The command line that prints the facts, for any login shell."""
    start, end = _SCRIPT.index("root() {"), _SCRIPT.index('if [ "$(id -u)" = 0 ]')
    functions = "\n".join(line for line in _SCRIPT.splitlines() if line[:5] in {"say()", "has()"})
    path = next(line for line in _SCRIPT.splitlines() if line.startswith("PATH="))
    root = f"{path}\n{functions}\n{_SCRIPT[start:end]}root"
    values = {
        "PROBE": _PROBE,
        "SOCKET": SOCKET,
        "MODULES": " ".join(PYTHON_MODULES),
        "VERSIONS": "{{.Server.Version}} {{.Server.APIVersion}}",
        "BECOME": "yes" if become else "no",
        "ROOT": root,
    }
    head = "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
    return shell_command(head + _SCRIPT)


def shell_command(script: str) -> str:
    """A command line that runs a POSIX sh script under any login shell (fish and csh included).

    The script's standard input is empty; the exit status is the script's.
    """
    encoded = base64.b64encode(f"{{\n{script}\n}} </dev/null\n".encode()).decode()
    return f"echo {encoded} | base64 -d | sh"


def parse_facts(text: str) -> HostFacts:
    """The facts in what the command printed.

    Raises:
        FactsError: the answer is cut short; carries what there is of it.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and key.isidentifier():
            found[key] = value.strip()
    if "done" not in found:
        last = " | ".join(text.split("\n")[-4:]).strip(" |")
        raise FactsError(f"the answer ends early: {last[-200:] or 'nothing'}")
    engine = found.get("engine") or found.get("root_engine", "")
    return HostFacts(
        system=found.get("system", ""),
        os_id=found.get("os_id", ""),
        os_like=tuple(found.get("os_like", "").split()),
        os_name=found.get("os_name") or found.get("system", "unknown"),
        kernel=found.get("kernel", ""),
        machine=found.get("machine", ""),
        user=found.get("user", ""),
        uid=_number(found, "uid"),
        groups=tuple(found.get("groups", "").split()),
        sudo=found.get("sudo", "no"),
        sudo_words=found.get("sudo_words", ""),
        package_manager=found.get("package_manager", ""),
        systemd=found.get("init") == "systemd",
        service=found.get("service") == "yes",
        dockerd=found.get("dockerd") == "yes",
        lacks_apparmor_parser=found.get("apparmor_parser") == "no",
        socket=_socket(found.get("socket", "absent")),
        engine=engine.split(" ")[0],
        engine_words=found.get("engine_words") or found.get("root_engine_words", ""),
        root_socket=_socket(found.get("root_socket", "absent")),
        python=found.get("python", ""),
        python_path=found.get("python_path", ""),
        python_missing=tuple(found.get("python_missing", "").split()),
        clock_s=_seconds(found.get("clock", "")),
        cpus=_number(found, "cpus"),
        memory_bytes=_number(found, "memory_kib") * 1024,
        disk_free_bytes=_number(found, "disk_free_kib") * 1024,
        disk_path=found.get("disk_path", "/"),
        overlay=found.get("overlay") == "yes",
        cgroup=2 if found.get("cgroup") == "2" else 1,
        controllers=tuple(found.get("controllers", "").split()),
        missing_namespaces=tuple(found.get("missing_namespaces", "").split()),
        sshd_forwards=found.get("allowstreamlocalforwarding", "yes") in {"yes", "all", "local"}
        and found.get("disableforwarding", "no") != "yes",
    )


def _number(found: dict[str, str], key: str) -> int:
    text = found.get(key, "")
    return int(text) if text.isdigit() else 0


def _seconds(text: str) -> float:
    # a date without %N prints the letter itself
    whole, _, fraction = text.partition(".")
    if not whole.isdigit():
        return 0.0
    return float(f"{whole}.{fraction}") if fraction.isdigit() else float(whole)


def _socket(text: str) -> SocketState:
    return text if text in {"ok", "absent", "denied", "silent"} else "absent"  # type: ignore[return-value]
