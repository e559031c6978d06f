"""What runs in a fake container: how long, what it writes, how it ends, what it does on TERM."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Line = tuple[Literal["stdout", "stderr"], bytes]

IMAGE = "orch-test/busybox:1"
KILLED = 137


@dataclass(frozen=True, slots=True)
class Program:
    """The behaviour of a first process, or of a command run by exec.

    Attributes:
        runs_s: how long it runs by itself; None until it is told to end.
        exit_code: how it ends then.
        on_term: exit code on TERM, at once; None when it does not heed TERM.
        output: what it writes when it starts.
        echo: gives its input back, and ends with 0 at its end.
        echo_bytes: ends after so many, too; None for never.
        start_error: why the engine cannot start it; "" when it can.
    """

    runs_s: float | None = None
    exit_code: int = 0
    on_term: int | None = 0
    output: tuple[Line, ...] = ()
    echo: bool = False
    echo_bytes: int | None = None
    start_error: str = ""


FOREVER = Program()
STUBBORN = Program(on_term=None)
CAT = Program(echo=True, on_term=None)
QUICK_S = 0.005

_TALK: tuple[Line, ...] = (("stdout", b"one\n"), ("stderr", b"two\n"), ("stdout", b"three\n"))
_HELLO: tuple[Line, ...] = (("stdout", b"hello\n"), ("stderr", b"oops\n"))


def ends(exit_code: int, after_s: float = QUICK_S, *output: Line) -> Program:
    """A program that ends by itself."""
    return Program(runs_s=after_s, exit_code=exit_code, output=output)


def program_of(argv: Sequence[str]) -> Program:
    """What a command line does: the contract suite's commands, else it runs until TERM."""
    known = {
        ("sleep", "1000"): STUBBORN,
        ("sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done"): Program(
            on_term=3, output=(("stdout", b"ready\n"),)
        ),
        ("sh", "-c", "echo one; echo two >&2; echo three"): ends(0, QUICK_S, *_TALK),
        ("sh", "-c", "exit 7"): ends(7),
        ("sh", "-c", "echo hello; echo oops >&2; exit 5"): ends(5, QUICK_S, *_HELLO),
        ("cat",): CAT,
        ("sh", "-c", "stty raw -echo; echo ready; dd bs=1 count=4 2>/dev/null"): Program(
            output=(("stdout", b"ready\n"),), echo=True, echo_bytes=4
        ),
        ("true",): ends(0),
        ("false",): ends(1),
        ("/pause",): STUBBORN,
    }
    return known.get(tuple(argv), FOREVER)
