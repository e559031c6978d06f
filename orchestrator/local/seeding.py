"""Images into the hosts' engines: one `docker save` each on this machine, streamed to all hosts.

An archive is read once and written to every host's `docker load` as it comes; nothing touches a
disk on the way.
"""

import socket
from collections.abc import Sequence
from typing import Any

import docker
import docker.errors

from orchestrator.kit.errors import EngineError

CHUNK_BYTES = 1 << 20


def seed_images(
    client: docker.DockerClient, containers: Sequence[str], images: Sequence[str]
) -> None:
    """Loads images of this machine's engine into the engines of these hosts; idempotent.

    Args:
        client: this machine's engine.
        containers: names of the hosts' containers.
        images: references; they keep their tags.

    Raises:
        EngineError: an image is not here, or a host could not load it; names all such hosts.
    """
    problems: list[str] = []
    for image in images:
        problems += _seed(client, containers, image)
    if problems:
        raise EngineError("; ".join(problems), operation="load images")


def _seed(client: docker.DockerClient, containers: Sequence[str], image: str) -> list[str]:
    loads: list[_Load] = []
    try:
        loads += [_Load(client, container) for container in containers]
        for chunk in client.api.get_image(image, chunk_size=CHUNK_BYTES):
            for load in loads:
                load.write(chunk)
        return [problem for load in loads if (problem := load.finish())]
    except docker.errors.APIError as error:
        raise EngineError(
            f"docker save {image}: {error.explanation}", operation="save images"
        ) from error
    finally:
        for load in loads:
            load.close()


class _Load:
    """One `docker load` in a host, fed through its standard input."""

    def __init__(self, client: docker.DockerClient, container: str) -> None:
        self._client = client
        self._container = container
        self._id = client.api.exec_create(
            container, ["docker", "load", "-q"], stdin=True, tty=False
        )["Id"]
        stream: Any = client.api.exec_start(self._id, socket=True)
        self._stream = stream
        self._socket: socket.socket = stream._sock  # the SDK wraps it for reading only
        self._broken = ""

    def write(self, data: bytes) -> None:
        if not self._broken:
            try:
                self._socket.sendall(data)
            except OSError as error:
                self._broken = str(error)

    def finish(self) -> str:
        """Waits for the end; the host's words when it failed, else ""."""
        words = b""
        if not self._broken:
            self._socket.shutdown(socket.SHUT_WR)
        while chunk := self._socket.recv(65536):
            words += chunk
        status = self._client.api.exec_inspect(self._id)["ExitCode"]
        if status or self._broken:
            text = words.decode(errors="replace").strip() or self._broken
            return f"{self._container}: docker load ended with status {status}: {text}"
        return ""

    def close(self) -> None:
        self._stream.close()
        self._socket.close()
