"""Events as people and machines see them."""

import io
import json

from rich.console import Console

from orchestrator.bootstrap.runner import HostEvent
from orchestrator.cli.progress import _Board, progress

EVENTS = [
    HostEvent("a", "connect", "running"),
    HostEvent("a", "connect", "done", "key as pinned"),
    HostEvent("b", "connect", "failed", "no answer"),
    HostEvent("a", "facts", "done", "Debian"),
    HostEvent("a", "docker", "running", "install docker.io"),
    HostEvent("a", "docker", "changed", "install docker.io"),
    HostEvent("", "server", "changed", "started"),
]


def test_plain_lines_say_what_was_done(capsys):
    with progress(["a", "b"], ("connect",), as_json=False) as report:
        for event in EVENTS:
            report(event)
    assert capsys.readouterr().out.splitlines() == [
        "a: connect: ok: key as pinned",
        "b: connect: FAILED: no answer",
        "a: facts: ok: Debian",
        "a: docker: changed: install docker.io",
        "control plane: server: changed: started",
    ]


def test_machines_get_every_event(capsys):
    with progress(["a", "b"], ("connect",), as_json=True) as report:
        for event in EVENTS:
            report(event)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == len(EVENTS)
    assert lines[2] == {"node": "b", "step": "connect", "state": "failed", "detail": "no answer"}


def test_the_table_keeps_the_worst_and_the_last_words():
    board = _Board(["a", "b"], ("connect", "facts", "prepare"))
    for event in EVENTS:
        board.update(event)
    board.update(HostEvent("a", "connect", "done", "key as pinned"))
    board.update(HostEvent("a", "facts", "done", "Debian again"))
    console = Console(file=io.StringIO(), width=100)
    console.print(board.table())
    head, one, two, server = [x.split() for x in console.file.getvalue().splitlines()]
    assert head == ["HOST", "CONNECT", "FACTS", "PREPARE"]
    assert one == ["a", "ok", "ok", "changed", "Debian", "again"]
    assert two == ["b", "FAILED", "no", "answer"]
    assert server[:3] == ["control", "plane", "changed"]
