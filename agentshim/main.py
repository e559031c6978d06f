"""The shim's process: `serve` (one per directory, by a lock) and `bridge` (a socket on stdio).

python3 -I -S -B shim-HASH.zip serve DIRECTORY HASH ENGINE_SOCKET OWNER_UID OWNER_GID
python3 -I -S -B shim-HASH.zip bridge PATH
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import signal
import socket
import sys
import threading
from typing import List

EXIT_TAKEN = 3
"""Another shim has the directory."""
WATCH_S = 15.0
"""How often the shim looks whether its directory is still its own."""


def main(arguments: List[str]) -> int:
    """Runs a command; returns the exit status."""
    if len(arguments) == 6 and arguments[0] == "serve":
        directory, digest, engine_socket, uid, gid = arguments[1:]
        return serve(directory, digest, engine_socket, int(uid), int(gid))
    if len(arguments) == 2 and arguments[0] == "bridge":
        return bridge(arguments[1])
    sys.stderr.write("usage: serve DIRECTORY HASH ENGINE_SOCKET UID GID | bridge PATH\n")
    return 2


def serve(directory: str, digest: str, engine_socket: str, uid: int, gid: int) -> int:
    """Serves until told to end."""
    from agentshim.files import remove_tree
    from agentshim.loop import Loop
    from agentshim.server import Server, listen
    from agentshim.service import Service, Settings

    lock = os.open(os.path.join(directory, "shim.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return EXIT_TAKEN
    threading.stack_size(256 * 1024)
    _spare_from_oom_killer()
    settings = Settings(directory, digest, engine_socket)
    loop = Loop()
    clean_up: List[bool] = []

    def end(clean: bool) -> None:
        clean_up.append(clean)
        loop.stop()

    service = Service(loop, settings, end)
    listener = listen(settings.socket_path, uid, gid)
    server = Server(loop, service, listener)
    mine = os.stat(settings.socket_path).st_ino
    pid_file = os.path.join(directory, "shim.pid")
    _write(pid_file, json.dumps({"pid": os.getpid(), "hash": digest}))

    def stop(_number: int, _frame: object) -> None:
        loop.call_soon(lambda: end(False))

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)

    def still_mine() -> bool:
        try:
            return os.stat(settings.socket_path).st_ino == mine
        except OSError:
            return False

    def look() -> None:
        if still_mine():
            loop.call_later(WATCH_S, look)
        else:
            loop.stop()  # the directory was removed, or is another shim's

    loop.call_later(WATCH_S, look)
    loop.run()
    for client in list(server.clients):
        client.close()
    if still_mine():
        os.unlink(settings.socket_path)
        os.unlink(pid_file)
        if any(clean_up):
            try:
                remove_tree(directory)
            except OSError as error:
                sys.stderr.write("cannot remove %s: %s\n" % (directory, error))
    # Workers may hang in calls to the engine; nobody waits for them.
    os._exit(0)


def bridge(path: str) -> int:
    """Copies between standard input and output and a Unix socket, until both have ended."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(path)
    except OSError as error:
        sys.stderr.write("cannot open %s: %s\n" % (path, error.strerror or error))
        return 1
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    selector.register(connection, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj == 0:
                data = os.read(0, 65536)
                if data:
                    connection.sendall(data)
                else:
                    selector.unregister(0)
                    connection.shutdown(socket.SHUT_WR)
            else:
                data = connection.recv(65536)
                if not data:
                    return 0
                view = memoryview(data)
                while view:
                    view = view[os.write(1, view) :]


def _write(path: str, text: str) -> None:
    descriptor = os.open(path + ".tmp", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    os.rename(path + ".tmp", path)


def _spare_from_oom_killer() -> None:
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("-500")
    except OSError:
        pass  # only root may


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
