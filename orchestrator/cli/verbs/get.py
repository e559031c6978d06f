"""`orch get` and `orch nodes`."""

from collections.abc import Iterator
from typing import Any

import click

from orchestrator.cli.client import TABLE, ApiFailure
from orchestrator.cli.options import Session, message, open_session, server_options
from orchestrator.cli.printing import TablePrinter, to_json, to_yaml
from orchestrator.cli.targets import Target, collection_path, parse_targets, typed_name
from orchestrator.cli.verbs.completion import complete_what
from orchestrator.kit.errors import InternalError

FORMATS = click.Choice(["wide", "yaml", "json", "name"])


@click.command()
@click.argument("what", nargs=-1, shell_complete=complete_what)
@click.option("-o", "--output", type=FORMATS, default=None, help="wide, yaml, json or name.")
@click.option("-l", "--selector", default="", help="Label selector: app=web,tier!=db.")
@click.option("--field-selector", default="", help="Field selector: status.phase=Running.")
@click.option("-A", "--all-namespaces", is_flag=True, help="In all namespaces.")
@click.option("-w", "--watch", is_flag=True, help="Go on showing changes.")
@click.option("--no-headers", is_flag=True, help="Leave the header line out.")
@click.option("--show-labels", is_flag=True, help="Labels as a last column.")
@click.option("--ignore-not-found", is_flag=True, help="A missing object is no error.")
@server_options
def get(
    what: tuple[str, ...],
    output: str | None,
    selector: str,
    field_selector: str,
    all_namespaces: bool,
    watch: bool,
    no_headers: bool,
    show_labels: bool,
    ignore_not_found: bool,
    kubeconfig: str,
    context: str,
    namespace: str,
) -> None:
    """Show objects: `orch get pods -o wide`, `orch get deploy/web -o yaml`, `orch get all`."""
    with open_session(kubeconfig, context, namespace) as session:
        targets = parse_targets(what, session.served)
        if watch and (len(targets) > 1 or len(targets[0].names) > 1):
            raise click.UsageError("-w takes one resource type and at most one name")
        query = {}
        if selector:
            query["labelSelector"] = selector
        if field_selector:
            query["fieldSelector"] = field_selector
        where = "" if all_namespaces else session.namespace
        if output in {"yaml", "json", "name"}:
            reader: _Reader = _Documents(session, where, query, output, ignore_not_found)
        else:
            reader = _Tables(
                session, where, query, output == "wide", not no_headers, show_labels,
                ignore_not_found,
            )  # fmt: skip
        reader.show(targets, watch=watch)


class _Reader:
    """Reads targets and prints them; the two subclasses differ in what an answer looks like."""

    accept = "application/json"

    def __init__(
        self, session: Session, namespace: str, query: dict[str, str], ignore_not_found: bool
    ) -> None:
        self.session = session
        self.namespace = namespace
        self.query = query
        self.ignore_not_found = ignore_not_found
        self.failed = False

    def answers(self, target: Target) -> Iterator[Any]:
        """Each answer: the collection's, or one per name."""
        base = collection_path(target.resource, self.namespace)
        client = self.session.client
        if not target.names:
            yield client.request("GET", base, query=self.query, accept=self.accept)
        for name in target.names:
            try:
                yield client.request("GET", f"{base}/{name}", accept=self.accept)
            except ApiFailure as failure:
                if failure.code == 404 and self.ignore_not_found:
                    continue
                if len(target.names) == 1:
                    raise
                click.echo(message(failure), err=True)
                self.failed = True

    def events(self, target: Target, revision: str) -> Iterator[dict[str, Any]]:
        """Watch events after `revision`."""
        base = collection_path(target.resource, self.namespace)
        query = {**self.query, "resourceVersion": revision}
        if target.names:
            query["fieldSelector"] = f"metadata.name={target.names[0]}"
        yield from self.session.client.watch(base, query=query, accept=self.accept)

    def show(self, targets: list[Target], *, watch: bool) -> None:
        """Prints everything asked for, then changes as they come when `watch` is set."""
        raise InternalError(f"{type(self).__name__} shows nothing")


class _Documents(_Reader):
    """-o yaml, json and name."""

    def __init__(
        self,
        session: Session,
        namespace: str,
        query: dict[str, str],
        output: str,
        ignore_not_found: bool,
    ) -> None:
        super().__init__(session, namespace, query, ignore_not_found)
        self.output = output

    def show(self, targets: list[Target], *, watch: bool) -> None:
        """Prints one object as itself, several as a List."""
        single = len(targets) == 1 and len(targets[0].names) == 1
        items: list[Any] = []
        revision = "0"
        for target in targets:
            for answer in self.answers(target):
                revision = answer["metadata"]["resourceVersion"]
                found = answer["items"] if not target.names else [answer]
                for item in found:
                    item.setdefault("kind", target.resource.kind)
                    item.setdefault("apiVersion", target.resource.api_version)
                    if self.output == "name":
                        click.echo(typed_name(target.resource, item["metadata"]["name"]))
                items += found
        if self.output != "name" and (items or not single):
            self._emit(items[0] if single else _list(items))
        if watch:
            for event in self.events(targets[0], revision):
                if self.output == "name":
                    click.echo(typed_name(targets[0].resource, event["object"]["metadata"]["name"]))
                else:
                    self._emit(event["object"])
        if self.failed:
            raise SystemExit(1)

    def _emit(self, document: Any) -> None:
        for item in document["items"] if document.get("kind") == "List" else [document]:
            item["metadata"].pop("managedFields", None)  # of no use to people, as kubectl knows
        if self.output == "json":
            click.echo(to_json(document))
        else:
            click.echo(to_yaml(document), nl=False)


class _Tables(_Reader):
    """Tables, narrow and wide."""

    accept = TABLE

    def __init__(
        self,
        session: Session,
        namespace: str,
        query: dict[str, str],
        wide: bool,
        headers: bool,
        show_labels: bool,
        ignore_not_found: bool,
    ) -> None:
        super().__init__(session, namespace, query, ignore_not_found)
        self.wide = wide
        self.headers = headers
        self.show_labels = show_labels

    def show(self, targets: list[Target], *, watch: bool) -> None:
        """Prints one table per resource; nothing at all is said on standard error."""
        several = len({t.resource.resource for t in targets}) > 1
        shown = 0
        for target in targets:
            printer = TablePrinter(
                wide=self.wide,
                headers=self.headers,
                namespace_column=target.resource.namespaced and not self.namespace,
            )
            prefix = f"{typed_name(target.resource, '')}" if several else ""
            revision = "0"
            for table in self.answers(target):
                revision = (table.get("metadata") or {}).get("resourceVersion", "0")
                if not table.get("rows"):
                    continue
                if several and shown:
                    click.echo()
                shown += len(table["rows"])
                self._emit(printer, table, prefix)
            if watch:
                for event in self.events(target, revision):
                    if event["type"] != "BOOKMARK":
                        self._emit(printer, event["object"], prefix)
        if not shown and not self.failed and not self.ignore_not_found:
            scoped = any(t.resource.namespaced for t in targets) and self.namespace
            where = f" in {self.namespace} namespace" if scoped else ""
            click.echo(f"No resources found{where}.", err=True)
        if self.failed:
            raise SystemExit(1)

    def _emit(self, printer: TablePrinter, table: dict[str, Any], prefix: str) -> None:
        if self.show_labels:
            table = _with_labels(table)
        for line in printer.render(table, prefix=prefix):
            click.echo(line)


def _with_labels(table: dict[str, Any]) -> dict[str, Any]:
    rows = []
    for row in table.get("rows") or []:
        labels = ((row.get("object") or {}).get("metadata") or {}).get("labels") or {}
        text = ",".join(f"{k}={v}" for k, v in sorted(labels.items())) or "<none>"
        rows.append({**row, "cells": [*row["cells"], text]})
    definitions = [*(table.get("columnDefinitions") or []), {"name": "Labels", "priority": 0}]
    return {**table, "columnDefinitions": definitions, "rows": rows}


def _list(items: list[Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}


@click.command()
@click.option("-o", "--output", type=FORMATS, default=None, help="wide, yaml, json or name.")
@click.option("-w", "--watch", is_flag=True, help="Go on showing changes.")
@server_options
@click.pass_context
def nodes(
    ctx: click.Context,
    output: str | None,
    watch: bool,
    kubeconfig: str,
    context: str,
    namespace: str,
) -> None:
    """Show the hosts; the same as `orch get nodes`."""
    ctx.invoke(
        get,
        what=("nodes",),
        output=output,
        selector="",
        field_selector="",
        all_namespaces=False,
        watch=watch,
        no_headers=False,
        show_labels=False,
        ignore_not_found=False,
        kubeconfig=kubeconfig,
        context=context,
        namespace=namespace,
    )
