"""A terminal with a program in it: what a person at a keyboard sees and types."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


class Terminal:
    """The keyboard and the screen of a program.

    Attributes:
        seen: all that the screen has shown.
        position: in `seen`, behind what was expected last.
        process: the program.
    """

    def __init__(self, end: int, process: "subprocess.Popen[bytes]") -> None:
        self.seen = ""
        self.process = process
        self.position = 0
        self._end = end

    def type(self, text: str) -> None:
        """Types; a line ends with a newline."""
        os.write(self._end, text.encode())

    def expect(self, text: str, within_s: float = 30.0) -> None:
        """Reads until the screen shows the text, behind what was expected before."""
        deadline = time.monotonic() + within_s
        while (found := self.seen.find(text, self.position)) < 0:
            assert self._more(deadline), f"no {text!r} on the screen: {self.seen!r}"
        self.position = found + len(text)

    def resize(self, rows: int, columns: int) -> None:
        """Changes the size of the window; the program is told by the usual signal."""
        _set_size(self._end, rows, columns)
        self.process.send_signal(signal.SIGWINCH)

    def ended(self, within_s: float = 30.0) -> int:
        """Reads to the end; the program's exit code."""
        deadline = time.monotonic() + within_s
        while self._more(deadline):
            pass
        return self.process.wait(max(0.1, deadline - time.monotonic()))

    def _more(self, deadline: float) -> bool:
        """Waits for output; False at its end and at the deadline."""
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self._end], [], [], left)[0]:
            return False
        try:
            data = os.read(self._end, 65536)
        except OSError:  # Linux' way to say that the other side is closed
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)


@contextmanager
def terminal(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    rows: int = 40,
    columns: int = 100,
) -> Iterator[Terminal]:
    """Starts a program in a terminal of this size; kills it at the end of the context."""
    end, inside = pty.openpty()
    _set_size(end, rows, columns)
    with subprocess.Popen(
        command, stdin=inside, stdout=inside, stderr=inside, env=environment, start_new_session=True
    ) as process:
        os.close(inside)
        try:
            yield Terminal(end, process)
        finally:
            process.kill()
            os.close(end)


def _set_size(end: int, rows: int, columns: int) -> None:
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
