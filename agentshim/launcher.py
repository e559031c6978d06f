"""Starts the shim on a host, or finds it running; sent whole as `python3 -c`, so on its own.

    python3 -c <this file> HASH SIZE DIRECTORY ENGINE_SOCKET PRIVILEGED("1" or "0")

Prints "need" when the zip is not there yet and then reads SIZE bytes from standard input; at the
end prints one JSON object: {"socket", "zip", "pid", "started", "directory"} or {"error"}.

The directory is 0700 and belongs to the login user, also where the shim runs as root: the login
user's sshd opens the socket in it. DIRECTORY is taken with privileges; else the user's runtime
directory where it outlives the login (lingering), else one in /dev/shm.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from typing import Any, Dict, List, Tuple

START_S = 15.0
ENVIRONMENT = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "65536"}
"""One heap for all threads, given back when free: half the memory after a busy moment."""


class Refused(Exception):
    """Told to the server in words."""


def main(arguments: List[str]) -> Dict[str, Any]:
    """Makes sure that the shim with this hash runs; returns how to reach it."""
    digest, size, directory, engine_socket, privileged = arguments
    uid = int(os.environ.get("SUDO_UID", os.getuid())) if privileged == "1" else os.getuid()
    gid = int(os.environ.get("SUDO_GID", os.getgid())) if privileged == "1" else os.getgid()
    if privileged != "1":
        directory = user_directory(uid, os.path.basename(directory))
    ensure_directory(directory, uid, gid)
    # Held until this process ends; two servers at once take turns.
    lock = os.open(os.path.join(directory, "launch.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    zip_path = os.path.join(directory, "shim-%s.zip" % digest)
    socket_path = os.path.join(directory, "shim.sock")
    answer: Dict[str, Any] = {
        "socket": socket_path,
        "zip": zip_path,
        "directory": directory,
        "started": False,
    }
    ensure_zip(zip_path, digest, int(size), uid, gid)
    pid, running = who_runs(directory)
    if pid and running == digest and accepts(socket_path):
        return dict(answer, pid=pid)
    if pid:
        end(pid)
    command = [sys.executable or "python3", "-I", "-S", "-B", zip_path, "serve", directory]
    command += [digest, engine_socket, str(uid), str(gid)]
    start(command, directory, digest)
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        pid, running = who_runs(directory)
        if pid and running == digest and accepts(socket_path):
            remove_others(directory, zip_path)
            return dict(answer, pid=pid, started=True)
        time.sleep(0.02)
    raise Refused("the shim does not start: %s" % last_words(directory))


def user_directory(uid: int, name: str) -> str:
    """A directory of the user's in memory that outlives the login."""
    runtime = "/run/user/%d" % uid
    try:
        import pwd

        lingers = os.path.exists("/var/lib/systemd/linger/" + pwd.getpwuid(uid).pw_name)
    except KeyError:
        lingers = False
    if lingers and os.path.isdir(runtime):
        return os.path.join(runtime, name)
    return "/dev/shm/%s-%d" % (name, uid)


def ensure_directory(directory: str, uid: int, gid: int) -> None:
    """Makes the directory, 0700; refuses one that is not ours."""
    try:
        os.mkdir(directory, 0o700)
        os.chown(directory, uid, gid)
    except FileExistsError:
        pass
    except OSError as error:
        raise Refused("cannot make %s: %s" % (directory, error.strerror)) from error
    now = os.lstat(directory)
    if not stat.S_ISDIR(now.st_mode) or now.st_uid not in (uid, os.getuid()):
        raise Refused("%s is not a directory of the login user's; remove it" % directory)
    if now.st_uid != uid:
        os.chown(directory, uid, gid)
    if stat.S_IMODE(now.st_mode) != 0o700:
        os.chmod(directory, 0o700)


def ensure_zip(path: str, digest: str, size: int, uid: int, gid: int) -> None:
    """Takes the zip from standard input unless it is there."""
    try:
        with open(path, "rb") as file:
            if hashlib.sha256(file.read()).hexdigest() == digest:
                return
    except OSError:
        pass
    sys.stdout.write("need\n")
    sys.stdout.flush()
    data = sys.stdin.buffer.read(size)
    if hashlib.sha256(data).hexdigest() != digest:
        raise Refused("the shim arrived damaged: %d of %d bytes" % (len(data), size))
    try:
        descriptor = os.open(path + ".tmp", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.chown(path + ".tmp", uid, gid)
        os.rename(path + ".tmp", path)
    except OSError as error:
        raise Refused("cannot write %s: %s" % (path, error.strerror)) from error


def who_runs(directory: str) -> Tuple[int, str]:
    """Process id and hash of the shim that runs here; (0, "") when there is none."""
    try:
        with open(os.path.join(directory, "shim.pid")) as file:
            known = json.load(file)
        pid, digest = int(known["pid"]), str(known["hash"])
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            words = file.read().split(b"\0")
    except (OSError, ValueError, KeyError, TypeError):
        return 0, ""
    if b"serve" in words and directory.encode() in words:
        return pid, digest
    return 0, ""


def accepts(path: str) -> bool:
    """Whether somebody accepts connections on the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2.0)
        try:
            probe.connect(path)
        except OSError:
            return False
        return True


def end(pid: int) -> None:
    """Ends an older shim."""
    for number, patience_s in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 2.0)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        except OSError as error:
            raise Refused("cannot end the old shim, process %d: %s" % (pid, error)) from error
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if not os.path.exists("/proc/%d" % pid):
                return
            time.sleep(0.02)


def start(command: List[str], directory: str, digest: str) -> None:
    """Starts the shim so that it outlives the login."""
    if os.getuid() == 0 and os.path.isdir("/run/systemd/system"):
        unit = "orch-shim-%s-%d" % (os.path.basename(directory), os.getpid())
        systemd = ["systemd-run", "--quiet", "--collect", "--unit", unit]
        systemd += ["--description", "orch shim", "--property", "Restart=on-failure"]
        systemd += ["--property", "MemoryMax=128M"]
        systemd += ["--setenv=%s=%s" % item for item in ENVIRONMENT.items()]
        try:
            done = subprocess.run(
                systemd + command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=10,
                check=False,
            )
            if done.returncode == 0:
                return
        except (OSError, subprocess.SubprocessError):
            pass  # then as on hosts without systemd
    if os.fork() == 0:
        os.setsid()
        if os.fork() != 0:
            os._exit(0)
        os.chdir("/")
        log = os.open(
            os.path.join(directory, "shim.log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600
        )
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        os.dup2(log, 2)
        os.closerange(3, 1024)
        os.execve(command[0], command, dict(ENVIRONMENT, PATH=os.environ.get("PATH", os.defpath)))
    os.wait()


def last_words(directory: str) -> str:
    """The end of what it wrote to its standard error."""
    try:
        with open(os.path.join(directory, "shim.log"), errors="replace") as file:
            return file.read()[-1000:].strip() or "it says nothing"
    except OSError:
        return "see the system's journal for orch-shim"


def remove_others(directory: str, keep: str) -> None:
    """Removes the zips of older shims."""
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        if name.startswith("shim-") and name.endswith((".zip", ".tmp")) and path != keep:
            os.unlink(path)


if __name__ == "__main__":
    try:
        result = main(sys.argv[1:])
    except Refused as refused:
        result = {"error": str(refused)}
    sys.stdout.write(json.dumps(result) + "\n")
