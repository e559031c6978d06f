"""What an attached client would have missed."""

import pytest

from orchestrator.node.attached import COMPARED_BYTES, WholeSession, missing
from orchestrator.remote.seams import OutputFrame


def out(*pieces: str) -> list[OutputFrame]:
    return [OutputFrame("stdout", piece.encode()) for piece in pieces]


def err(*pieces: str) -> list[OutputFrame]:
    return [OutputFrame("stderr", piece.encode()) for piece in pieces]


@pytest.mark.parametrize(
    ("given", "errors", "logged", "wanted"),
    [
        ("", "", out("a\n", "b\n"), out("a\n", "b\n")),
        ("a\n", "", out("a\n", "b\n"), out("b\n")),
        ("a\nb", "", out("a\n", "b\n"), out("\n")),
        ("a\nb\n", "", out("a\n", "b\n"), []),
        ("b\n", "", out("a\n", "b\n"), []),  # its beginning is missing: too late for that
        ("a\n", "", [*err("x\n"), *out("a\n", "b\n")], [*err("x\n"), *out("b\n")]),
        ("a\n", "x", [*err("x\n"), *out("a\n", "b\n")], [*err("\n"), *out("b\n")]),
        ("a\n", "", [], []),
    ],
)
def test_what_is_missing(given, errors, logged, wanted) -> None:
    assert missing({"stdout": given.encode(), "stderr": errors.encode()}, logged) == wanted


class Session:
    def __init__(self, *frames: OutputFrame) -> None:
        self.frames = frames

    async def output(self):
        for frame in self.frames:
            yield frame

    async def exit_code(self) -> int:
        return 0


class Log:
    def __init__(self, *frames: OutputFrame) -> None:
        self.frames = frames

    async def logs(self, container_id, options):
        for frame in self.frames:
            yield frame


@pytest.mark.parametrize(
    ("given", "logged", "wanted"),
    [
        ([], out("all\n"), out("all\n")),
        (out("a"), out("a", "b"), out("a", "b")),
        (out("x" * COMPARED_BYTES, "y"), out("z"), out("x" * COMPARED_BYTES, "y")),
        ([], out("x" * COMPARED_BYTES, "y"), []),
    ],
)
async def test_a_session_ends_with_what_the_log_has_more(given, logged, wanted) -> None:
    session = WholeSession(Session(*given), Log(*logged), "id")
    assert [frame async for frame in session.output()] == wanted
