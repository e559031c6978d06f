"""What happens on hosts, shown as it happens: a live table, plain lines, or JSON lines."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import click

if TYPE_CHECKING:
    from rich.table import Table

_MARKS = {
    "running": "…", "done": "ok", "changed": "changed", "planned": "would do", "warning": "warning",
    "failed": "FAILED",
}  # fmt: skip
_STYLES = {
    "running": "cyan", "done": "green", "changed": "yellow", "planned": "magenta",
    "warning": "yellow", "failed": "bold red",
}  # fmt: skip
_GROUPS = {
    "connect": "connect", "facts": "facts", "join": "join", "ready": "ready", "clean": "clean",
    "drain": "join",
}  # fmt: skip
"""Columns of the live table; every other step belongs to "prepare"."""


class Event(Protocol):
    """A `bootstrap.runner.HostEvent`."""

    @property
    def node(self) -> str:
        """The host; "" for the control plane."""
        ...

    @property
    def step(self) -> str:
        """What is done."""
        ...

    @property
    def state(self) -> str:
        """How it stands."""
        ...

    @property
    def detail(self) -> str:
        """In words."""
        ...


Reporter = Callable[[Any], None]


@contextmanager
def progress(nodes: list[str], columns: tuple[str, ...], *, as_json: bool) -> Iterator[Reporter]:
    """Yields what to call with every event.

    Args:
        nodes: hosts in the order of the table.
        columns: of the live table, out of connect, facts, prepare, join, ready, clean.
        as_json: one JSON object a line on standard output, for machines.
    """
    if as_json:
        yield _json_line
    elif sys.stdout.isatty():
        with _live(nodes, columns) as reporter:
            yield reporter
    else:
        yield _plain_line


def _json_line(event: Event) -> None:
    line = {"node": event.node, "step": event.step, "state": event.state, "detail": event.detail}
    click.echo(json.dumps(line))


def _plain_line(event: Event) -> None:
    if event.state == "running":
        return
    where = event.node or "control plane"
    detail = f": {event.detail}" if event.detail else ""
    click.echo(f"{where}: {event.step}: {_MARKS[event.state]}{detail}")


@contextmanager
def _live(nodes: list[str], columns: tuple[str, ...]) -> Iterator[Reporter]:
    from rich.console import Console
    from rich.live import Live

    board = _Board(nodes, columns)
    console = Console()
    with Live(get_renderable=board.table, console=console, refresh_per_second=8) as live:

        def report(event: Event) -> None:
            board.update(event)
            lasting = event.state in {"failed", "warning"} or (
                event.step == "connect" and "NEW key" in event.detail
            )
            if lasting:
                style = _STYLES[event.state]
                where = event.node or "control plane"
                live.console.print(
                    f"{where}: {event.step}: {event.detail}", style=style, markup=False
                )

        yield report
        live.update(board.table(), refresh=True)


class _Board:
    """The table's content: a cell per host and column, and the last words of every host."""

    def __init__(self, nodes: list[str], columns: tuple[str, ...]) -> None:
        self._columns = columns
        self._cells: dict[str, dict[str, str]] = {node: {} for node in nodes}
        self._words: dict[str, str] = {}
        self._server = ""

    def update(self, event: Event) -> None:
        """Takes one event in."""
        if not event.node:
            self._server = f"{_MARKS[event.state]} {event.detail}"
            return
        column = _GROUPS.get(event.step, "prepare")
        cells = self._cells.setdefault(event.node, {})
        worse = {"failed": 2, "changed": 1, "planned": 1}
        if worse.get(cells.get(column, ""), 0) <= worse.get(event.state, 0):
            cells[column] = event.state
        if event.step == "facts" and event.state == "done":
            cells.setdefault("prepare", "done")
        if event.detail:
            self._words[event.node] = event.detail

    def table(self) -> "Table":
        """The table as it stands."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        table.add_column("HOST", no_wrap=True)
        for column in self._columns:
            table.add_column(column.upper(), no_wrap=True)
        table.add_column("", no_wrap=True, overflow="ellipsis", ratio=1)
        for node, cells in self._cells.items():
            marks = [
                Text(_MARKS.get(cells.get(c, ""), ""), style=_STYLES.get(cells.get(c, ""), ""))
                for c in self._columns
            ]
            table.add_row(node, *marks, Text(self._words.get(node, ""), style="dim"))
        if self._server:
            blank = [""] * len(self._columns)
            table.add_row("control plane", *blank, Text(self._server, style="dim"))
        return table
