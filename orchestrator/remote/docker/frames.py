"""The Engine's multiplexed output: standard output and error in one stream (pure).

Each frame is one byte for the stream (0 stdin, 1 stdout, 2 stderr), three zero bytes, four bytes
big-endian length, payload. Containers with a terminal have no frames: all is standard output.

Source: Docker Engine API, "Attach to a container", stream format.
"""

from collections.abc import Iterator

from orchestrator.kit.errors import EngineError
from orchestrator.remote.seams import OutputFrame

_HEADER_BYTES = 8


class Demultiplexer:
    """Cuts the stream into frames, in pieces as they arrive: a frame is never held back."""

    def __init__(self, *, tty: bool) -> None:
        self._tty = tty
        self._header = bytearray()
        self._left = 0
        self._stderr = False

    def feed(self, data: bytes) -> Iterator[OutputFrame]:
        """Yields what `data` completes.

        Raises:
            EngineError: this is not a multiplexed stream.
        """
        if self._tty:
            if data:
                yield OutputFrame("stdout", data)
            return
        at = 0
        while at < len(data):
            if self._left == 0:
                taken = data[at : at + _HEADER_BYTES - len(self._header)]
                self._header += taken
                at += len(taken)
                if len(self._header) == _HEADER_BYTES:
                    self._read_header()
                continue
            piece = data[at : at + self._left]
            at += len(piece)
            self._left -= len(piece)
            yield OutputFrame("stderr" if self._stderr else "stdout", piece)

    def _read_header(self) -> None:
        if self._header[0] > 2 or any(self._header[1:4]):
            raise EngineError("the engine's output is not in the format of its API")
        self._stderr = self._header[0] == 2
        self._left = int.from_bytes(self._header[4:8], "big")
        self._header.clear()
