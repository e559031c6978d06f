"""From a host's facts to the steps that it needs; pure.

A host that is as it should be gets an empty plan: that is what makes `orch bootstrap` idempotent.
What no step can mend is a fault, in words that say what would be right. Steps are shell text that
root runs, in order; after them the facts are read again, and the plan must then be empty.
"""

from dataclasses import dataclass
from typing import Final, Literal

from orchestrator.bootstrap.facts import SOCKET, HostFacts
from orchestrator.bootstrap.settings import BootstrapSettings

CheckName = Literal[
    "system", "sudo", "python", "docker", "socket", "clock", "disk", "kernel", "sshd"
]
"""What is looked at, in this order; also the columns that people see."""

CHECKS: Final[tuple[CheckName, ...]] = (
    "system", "sudo", "python", "docker", "socket", "clock", "disk", "kernel", "sshd",
)  # fmt: skip

FAMILIES: Final[dict[str, str]] = {
    "debian": "apt", "ubuntu": "apt", "raspbian": "apt", "linuxmint": "apt", "pop": "apt",
    "fedora": "dnf", "rhel": "dnf", "centos": "dnf", "rocky": "dnf", "almalinux": "dnf",
    "ol": "dnf", "amzn": "dnf",
}  # fmt: skip
_NEW: Final = "new package: "
APT: Final = "env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do on a host, as root.

    Attributes:
        check: what it mends.
        title: for people: "install docker.io".
        script: POSIX sh; non-zero means that it failed, its last words say why.
        installs: packages that are asked for; the script's output tells which ones are new on the
            host (`new_packages`), for `orch reset --purge`.
        joins_group: group that the login is put into; "" for none.
    """

    check: CheckName
    title: str
    script: str
    installs: tuple[str, ...] = ()
    joins_group: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """What stands in the way and no step can mend: what is wrong, and what would be right."""

    check: CheckName
    message: str


@dataclass(frozen=True, slots=True)
class HostPlan:
    """What to do on one host.

    Attributes:
        steps: in order; empty on a host that is as it should be.
        faults: with any, nothing is done on the host.
        warnings: what works and should be looked at.
    """

    steps: tuple[Step, ...] = ()
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()


def plan_host(
    facts: HostFacts, settings: BootstrapSettings, *, clock_error_s: float = 0.0
) -> HostPlan:
    """What one host needs.

    Args:
        facts: of the host.
        settings: limits, and whether packages may be installed.
        clock_error_s: the host's clock minus ours; 0.0 when unknown.
    """
    builder = _Builder(facts, settings)
    builder.check_system()
    builder.check_python()
    builder.check_apparmor()
    builder.check_docker()
    builder.check_socket()
    builder.check_clock(clock_error_s)
    builder.check_disk()
    builder.check_kernel()
    builder.check_sshd()
    builder.check_sudo()
    return builder.plan()


def package_family(facts: HostFacts) -> str:
    """One of "apt" and "dnf" for the distributions whose packages are known; "" for others."""
    for name in (facts.os_id, *facts.os_like):
        family = FAMILIES.get(name, "")
        if family == "apt" and facts.package_manager == "apt-get":
            return "apt"
        if family == "dnf" and facts.package_manager in {"dnf", "yum"}:
            return "dnf"
    return ""


class _Builder:
    def __init__(self, facts: HostFacts, settings: BootstrapSettings) -> None:
        self._facts = facts
        self._settings = settings
        self._steps: list[Step] = []
        self._faults: list[Fault] = []
        self._warnings: list[Fault] = []

    def plan(self) -> HostPlan:
        """Steps only when nothing stands in the way."""
        if self._faults:
            return HostPlan((), tuple(self._faults), tuple(self._warnings))
        return HostPlan(tuple(self._steps), (), tuple(self._warnings))

    def _fault(self, check: CheckName, message: str) -> None:
        self._faults.append(Fault(check, message))

    def _warn(self, check: CheckName, message: str) -> None:
        self._warnings.append(Fault(check, message))

    def check_system(self) -> None:
        if self._facts.system != "Linux":
            self._fault("system", f"runs {self._facts.system or 'an unknown system'}; use Linux")

    def check_python(self) -> None:
        facts = self._facts
        oldest = ".".join(map(str, self._settings.oldest_python))
        if facts.python and _version(facts.python) >= self._settings.oldest_python:
            if not facts.python_missing:
                return
            why = f"Python lacks {', '.join(facts.python_missing)}"
        elif facts.python:
            self._fault(
                "python",
                f"{facts.python_path} is {facts.python}; Python {oldest} or newer is needed "
                "as python3",
            )
            return
        else:
            why = "there is no python3"
        self._install("python", why, {"apt": ("python3",), "dnf": ("python3",)})

    def check_apparmor(self) -> None:
        """The engine's package only recommends the parser, and it starts nothing without one."""
        if self._facts.lacks_apparmor_parser:
            why = "AppArmor is on and there is no apparmor_parser, so that no container can start"
            self._install("docker", why, {"apt": ("apparmor",), "dnf": ("apparmor-parser",)})

    def check_docker(self) -> None:
        facts = self._facts
        if facts.engine or facts.socket == "ok" or facts.root_socket == "ok":
            if _version(facts.engine) < self._settings.oldest_docker:
                oldest = ".".join(map(str, self._settings.oldest_docker))
                self._fault(
                    "docker", f"Docker {facts.engine} is too old; upgrade to {oldest} or newer"
                )
            return
        if facts.socket == "denied" and not facts.privileged:
            return  # something listens there; who may ask it is the socket check's matter
        if not facts.dockerd:
            self._install("docker", "there is no Docker Engine", ENGINE_PACKAGES)
        if not self._faults or facts.dockerd:
            self._steps.append(Step("docker", "start the Docker Engine", _start_script(facts)))

    def check_socket(self) -> None:
        facts = self._facts
        if facts.socket == "ok" or facts.uid == 0:
            return
        if facts.python and facts.socket == "silent" and facts.root_socket == "ok":
            self._fault(
                "socket",
                f"{SOCKET} answers root and not {facts.user}: {facts.engine_words}",
            )
            return
        if facts.python and facts.root_socket == "ok" and facts.socket == "absent":
            self._fault(
                "socket", f"{facts.user} cannot see {SOCKET}; make its directory readable to all"
            )
            return
        if "docker" not in facts.groups:
            self._steps.append(
                Step(
                    "socket",
                    f"put {facts.user} into group docker",
                    f"getent group docker >/dev/null || groupadd --system docker\n"
                    f"usermod -aG docker {facts.user}\n"
                    # an engine that was started without the group has given its socket to root
                    f'[ ! -S {SOCKET} ] || [ "$(stat -c %G {SOCKET})" = docker ] || '
                    f"{{ chgrp docker {SOCKET} && chmod 660 {SOCKET}; }}",
                    joins_group="docker",
                )
            )
        elif facts.socket == "denied":
            self._fault(
                "socket",
                f"{facts.user} is in group docker and may not open {SOCKET}; give the socket to "
                "that group, mode 0660",
            )

    def check_clock(self, error_s: float) -> None:
        limit_s = self._settings.clock_skew_limit_s
        if abs(error_s) > limit_s:
            way = "ahead" if error_s > 0 else "behind"
            self._fault(
                "clock",
                f"its clock is {abs(error_s):.0f} s {way} of this machine's; at most {limit_s:.0f} "
                "s are allowed: run a time service (chrony, systemd-timesyncd) on both",
            )
        elif abs(error_s) > self._settings.clock_skew_warn_s:
            self._warn("clock", f"its clock is {error_s:+.1f} s off; run a time service on it")

    def check_disk(self) -> None:
        facts, least = self._facts, self._settings.least_disk_bytes
        if facts.disk_free_bytes < least:
            self._fault(
                "disk",
                f"{facts.disk_path} has {_size(facts.disk_free_bytes)} free; at least "
                f"{_size(least)} are needed for images and containers",
            )
        elif facts.disk_free_bytes < self._settings.warn_disk_bytes:
            self._warn("disk", f"{facts.disk_path} has only {_size(facts.disk_free_bytes)} free")

    def check_kernel(self) -> None:
        facts = self._facts
        oldest = ".".join(map(str, self._settings.oldest_kernel))
        if _version(facts.kernel) < self._settings.oldest_kernel:
            self._fault("kernel", f"kernel {facts.kernel} is too old; {oldest} or newer is needed")
        if facts.missing_namespaces:
            self._fault(
                "kernel", f"the kernel has no namespaces for {', '.join(facts.missing_namespaces)}"
            )
        if not facts.engine and not facts.overlay:
            self._warn(
                "kernel", "no overlay file system; the engine will be slow and use much disk"
            )
        lacking = [c for c in ("cpu", "memory", "pids") if c not in facts.controllers]
        if facts.controllers and lacking:
            self._warn(
                "kernel",
                f"control group {', '.join(lacking)} is off, so limits of containers do not hold; "
                "boot with cgroup_enable=memory",
            )

    def check_sshd(self) -> None:
        if not self._facts.sshd_forwards:
            self._fault(
                "sshd",
                "sshd forwards no Unix sockets; set AllowStreamLocalForwarding yes and "
                "DisableForwarding no in sshd_config, and reload sshd",
            )

    def check_sudo(self) -> None:
        """Only what has to be done needs root."""
        facts = self._facts
        if not self._steps or facts.privileged:
            return
        needed = " and ".join(dict.fromkeys(step.title for step in self._steps))
        reason = {
            "unused": "the inventory says become: false",
            "absent": "there is no sudo",
            "no": f"sudo -n says: {facts.sudo_words}",
        }[facts.sudo]
        self._fault(
            "sudo",
            f"root has to {needed}, and {reason}; allow it with a line "
            f"'{facts.user} ALL=(ALL) NOPASSWD: ALL' in /etc/sudoers.d/{facts.user}, or do it "
            "yourself",
        )

    def _install(self, check: CheckName, why: str, packages: dict[str, tuple[str, ...]]) -> None:
        facts = self._facts
        family = package_family(facts)
        if not self._settings.install:
            names = " ".join(packages.get(family, packages["apt"]))
            self._fault(check, f"{why}; install {names} (not done because of --no-install)")
            return
        if not family:
            self._fault(
                check,
                f"{why}, and {facts.os_name} is none of the distributions that can be installed "
                "on (Debian, Ubuntu, Fedora, RHEL and their kin); install it yourself",
            )
            return
        chosen = packages[family]
        script = _install_script(family, facts, chosen)
        self._steps.append(Step(check, f"install {' or '.join(chosen)}", script, installs=chosen))


ENGINE_PACKAGES: Final[dict[str, tuple[str, ...]]] = {
    "apt": ("docker.io",),
    "dnf": ("moby-engine", "docker-ce", "docker"),
}
"""For dnf: the first one that the configured repositories have."""


def new_packages(output: str) -> tuple[str, ...]:
    """The packages that are new on a host, as an installing step's output tells."""
    lines = output.splitlines()
    return tuple(line.removeprefix(_NEW).strip() for line in lines if line.startswith(_NEW))


def _install_script(family: str, facts: HostFacts, packages: tuple[str, ...]) -> str:
    if family == "apt":
        names = " ".join(packages)
        # the package lists of a fresh machine are empty or old: try, update, try again
        return (
            "listed() { dpkg-query -W -f '${db:Status-Status} ${Package}\\n' "
            "| sed -n 's/^installed //p'; }\n"
            "before=$(listed)\n"
            f"{APT} install -y --no-install-recommends {names} >/dev/null 2>&1 || {{\n"
            f"  {APT} update >/dev/null && "
            f"{APT} install -y --no-install-recommends {names} >/dev/null\n}} || exit\n"
            f"listed | grep -vxF \"$before\" | sed 's/^/{_NEW}/'"
        )
    tool = facts.package_manager
    return (
        "words=\n"
        f"for name in {' '.join(packages)}; do\n"
        f'  words=$({tool} install -y -q "$name" 2>&1) && echo "{_NEW}$name" && exit 0\n'
        "done\n"
        "printf '%s\\n' \"$words\" >&2; exit 1"
    )


def _start_script(facts: HostFacts) -> str:
    if facts.systemd:
        start = "systemctl enable --now docker"
    else:
        # without a service manager the engine is started as such, and outlives the login
        start = (
            "if [ -x /etc/init.d/docker ] && command -v service >/dev/null 2>&1; then\n"
            "  service docker start >/dev/null 2>&1 || :\n"
            "fi\n"
            f"[ -S {SOCKET} ] || pgrep -x dockerd >/dev/null 2>&1 || "
            "setsid dockerd >>/var/log/dockerd.log 2>&1 </dev/null &"
        )
    ping = (
        "import socket; s = socket.socket(socket.AF_UNIX); s.settimeout(30); "
        f's.connect("{SOCKET}"); s.sendall(b"GET /_ping HTTP/1.0\\r\\nHost: d\\r\\n\\r\\n"); '
        'raise SystemExit(b" 200 " not in s.recv(4096))'
    )
    return (
        f"{start}\n"
        "tries=0\n"
        f"until words=$({facts.python_path or 'python3'} -I -S -c '{ping}' 2>&1); do\n"
        "  tries=$((tries + 1))\n"
        "  if [ $tries -gt 150 ]; then\n"
        "    tail -n 2 /var/log/dockerd.log 2>/dev/null >&2\n"
        "    printf '%s\\n' \"$words\" | tail -n 1 >&2; exit 1\n"
        "  fi\n"
        "  sleep 0.2\n"
        "done"
    )


def _version(text: str) -> tuple[int, ...]:
    numbers = []
    for part in text.split("-", maxsplit=1)[0].split("+", maxsplit=1)[0].split("."):
        digits = "".join(c for c in part if c.isdigit())
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
