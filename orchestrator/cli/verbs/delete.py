"""`orch delete`: by type and name, by label, or by file; waits until it is gone unless told not."""

from typing import Any

import click

from orchestrator.cli.client import ApiFailure, Client
from orchestrator.cli.manifests import load_manifests
from orchestrator.cli.options import Session, message, open_session, server_options
from orchestrator.cli.targets import collection_path, object_path, parse_targets, typed_name
from orchestrator.cli.verbs.completion import complete_what


@click.command()
@click.argument("what", nargs=-1, shell_complete=complete_what)
@click.option("-f", "--filename", "files", multiple=True, help="Delete what these files name.")
@click.option("-R", "--recursive", is_flag=True, help="Folders with all their sub-folders.")
@click.option("-l", "--selector", default="", help="Label selector.")
@click.option("--all", "everything", is_flag=True, help="All objects of the type.")
@click.option("--grace-period", type=int, default=-1, help="Seconds; -1 for the object's own.")
@click.option("--now", is_flag=True, help="A grace period of one second.")
@click.option("--force", is_flag=True, help="With --grace-period 0: do not wait for the host.")
@click.option("--ignore-not-found", is_flag=True, help="A missing object is no error.")
@click.option(
    "--cascade", type=click.Choice(["background", "foreground", "orphan"]), default="background"
)
@click.option("--wait/--no-wait", default=True, help="Wait until the objects are gone.")
@server_options
def delete(
    what: tuple[str, ...],
    files: tuple[str, ...],
    recursive: bool,
    selector: str,
    everything: bool,
    grace_period: int,
    now: bool,
    force: bool,
    ignore_not_found: bool,
    cascade: str,
    wait: bool,
    kubeconfig: str,
    context: str,
    namespace: str,
) -> None:
    """Delete objects: `orch delete deploy/web`, `orch delete -f web.yaml`."""
    if bool(files) == bool(what):
        raise click.UsageError("say what to delete: either TYPE NAME... or -f FILE")
    if force and grace_period > 0:
        raise click.UsageError("--force needs --grace-period 0")
    grace = 1 if now else 0 if force else grace_period
    options: dict[str, Any] = {"propagationPolicy": cascade.capitalize()}
    if grace >= 0:
        options["gracePeriodSeconds"] = grace
    with open_session(kubeconfig, context, namespace) as session:
        doomed = (
            _from_files(session, files, recursive)
            if files
            else _from_words(session, what, selector, everything)
        )
        failed = False
        waiting: list[tuple[str, str, str]] = []
        for path, base, name, title in doomed:
            try:
                session.client.request("DELETE", path, body=options)
                click.echo(f'{title[0]} "{name}" {"force deleted" if force else "deleted"}')
                waiting.append((path, base, name))
            except ApiFailure as failure:
                if failure.code == 404 and ignore_not_found:
                    continue
                failed = True
                click.echo(message(failure), err=True)
        if wait:
            for path, base, name in waiting:
                _wait_gone(session.client, path, base, name)
        if not doomed and not ignore_not_found:
            click.echo("No resources found", err=True)
        if failed:
            raise SystemExit(1)


Doomed = list[tuple[str, str, str, tuple[str]]]


def _title(resource: Any) -> tuple[str]:
    return (typed_name(resource, "").rstrip("/"),)


def _from_files(session: Session, files: tuple[str, ...], recursive: bool) -> Doomed:
    doomed: Doomed = []
    for manifest in load_manifests(files, recursive=recursive, served=session.served):
        namespace = manifest.document["metadata"].get("namespace") or session.namespace
        base = collection_path(manifest.resource, namespace)
        path = object_path(manifest.resource, namespace, manifest.name)
        doomed.append((path, base, manifest.name, _title(manifest.resource)))
    return doomed


def _from_words(session: Session, what: tuple[str, ...], selector: str, everything: bool) -> Doomed:
    doomed: Doomed = []
    for target in parse_targets(what, session.served):
        names = list(target.names)
        base = collection_path(target.resource, session.namespace)
        if not names:
            if not selector and not everything and what != ("all",):
                raise click.UsageError("name the objects, or use -l SELECTOR, or --all")
            query = {"labelSelector": selector} if selector else {}
            items = session.client.request("GET", base, query=query)["items"]
            names = [i["metadata"]["name"] for i in items]
        doomed += [(f"{base}/{n}", base, n, _title(target.resource)) for n in names]
    return doomed


def _wait_gone(client: Client, path: str, base: str, name: str) -> None:
    while True:
        try:
            live = client.request("GET", path)
        except ApiFailure as failure:
            if failure.code == 404:
                return
            raise
        query = {
            "fieldSelector": f"metadata.name={name}",
            "resourceVersion": live["metadata"]["resourceVersion"],
            "timeoutSeconds": 60,
        }
        try:
            for event in client.watch(base, query=query):
                if event["type"] == "DELETED":
                    return
        except ApiFailure as failure:
            if failure.code != 410:
                raise
