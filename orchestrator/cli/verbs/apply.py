"""`orch apply`: create what is missing, change what differs, say what happened to each object."""

import json
from typing import Any

import click

from orchestrator.cli.client import ApiFailure, Client
from orchestrator.cli.manifests import Manifest, load_manifests
from orchestrator.cli.options import Session, message, open_session, server_options, show_warnings
from orchestrator.cli.targets import collection_path, object_path, typed_name
from orchestrator.cli.threeway import LAST_APPLIED, three_way
from orchestrator.kit.errors import ConfigError

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


@click.command()
@click.option("-f", "--filename", "files", multiple=True, required=True, help="File, folder or -.")
@click.option("-R", "--recursive", is_flag=True, help="Folders with all their sub-folders.")
@click.option(
    "--dry-run",
    type=click.Choice(["none", "server"]),
    default="none",
    help="server: say what would happen, and change nothing.",
)
@server_options
def apply(
    files: tuple[str, ...],
    recursive: bool,
    dry_run: str,
    kubeconfig: str,
    context: str,
    namespace: str,
) -> None:
    """Create or change objects from files: `orch apply -f web.yaml`.

    Files are read and checked before the first request, and the server is asked what it thinks of
    every object before the first one is written: one that it refuses keeps all from being applied.
    """
    with open_session(kubeconfig, context, namespace) as session:
        manifests = load_manifests(files, recursive=recursive, served=session.served)
        _check_namespaces(manifests, namespace)
        if len(manifests) > 1 and dry_run == "none":
            _rehearse(session, manifests)
        failed = False
        for manifest in manifests:
            try:
                outcome = _apply_one(session, manifest, dry_run == "server")
                suffix = " (server dry run)" if dry_run == "server" else ""
                click.echo(f"{typed_name(manifest.resource, manifest.name)} {outcome}{suffix}")
            except ApiFailure as failure:
                failed = True
                click.echo(f"{manifest.place}: {message(failure)}", err=True)
            show_warnings(session.client)
        if failed:
            raise SystemExit(1)


def _rehearse(session: Session, manifests: list[Manifest]) -> None:
    """Ends the command when the server would refuse an object, with every object's faults."""
    new = {m.name for m in manifests if m.resource.kind == "Namespace"}
    problems = []
    for manifest in manifests:
        try:
            _apply_one(session, manifest, dry_run=True)
        except ApiFailure as failure:
            space = manifest.document["metadata"].get("namespace") or session.namespace
            if failure.reason == "NotFound" and space in new:
                continue  # it will be there by then
            problems.append(f"{manifest.place}: {message(failure)}")
    session.client.warnings.clear()  # the real requests bring them again
    if problems:
        for problem in problems:
            click.echo(problem, err=True)
        click.echo("error: nothing was applied", err=True)
        raise SystemExit(1)


def _check_namespaces(manifests: list[Manifest], flag: str) -> None:
    problems = []
    for manifest in manifests:
        stated = manifest.document["metadata"].get("namespace")
        if flag and stated and stated != flag and manifest.resource.namespaced:
            problems.append(
                f"{manifest.place}: metadata.namespace: {stated!r} is not the namespace "
                f"{flag!r} given with -n; leave one of them out"
            )
    if problems:
        raise ConfigError(problems)


def _apply_one(session: Session, manifest: Manifest, dry_run: bool) -> str:
    client, resource = session.client, manifest.resource
    namespace = manifest.document["metadata"].get("namespace") or session.namespace
    wanted = _wanted(manifest, namespace)
    query = {"fieldManager": "kubectl-client-side-apply", "fieldValidation": "Strict"}
    if dry_run:
        query["dryRun"] = "All"
    for _ in range(5):
        live = _live(client, object_path(resource, namespace, manifest.name))
        if live is None:
            base = collection_path(resource, namespace)
            try:
                client.request("POST", base, query=query, body=_annotated(wanted))
            except ApiFailure as failure:
                if failure.reason == "AlreadyExists":
                    continue
                raise
            return "created"
        try:
            return _change(client, manifest, namespace, wanted, live, query)
        except ApiFailure as failure:
            if failure.reason != "Conflict":
                raise
    raise ApiFailure("the object kept changing; try again", code=409, reason="Conflict")


def _wanted(manifest: Manifest, namespace: str) -> dict[str, Any]:
    meta = dict(manifest.document["metadata"])
    if manifest.resource.namespaced:
        meta["namespace"] = namespace
    meta.setdefault("annotations", {})
    return {**manifest.document, "metadata": meta}


def _annotated(wanted: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(wanted, separators=(",", ":"), sort_keys=True) + "\n"
    meta = wanted["metadata"]
    annotations = {**(meta.get("annotations") or {}), LAST_APPLIED: text}
    return {**wanted, "metadata": {**meta, "annotations": annotations}}


def _live(client: Client, path: str) -> dict[str, Any] | None:
    try:
        live: dict[str, Any] = client.request("GET", path)
        return live
    except ApiFailure as failure:
        if failure.code == 404 and failure.reason == "NotFound":
            return None
        raise


def _change(
    client: Client,
    manifest: Manifest,
    namespace: str,
    wanted: dict[str, Any],
    live: dict[str, Any],
    query: dict[str, str],
) -> str:
    from orchestrator.api.schema.bundle import name_of_kind  # these load the schema bundle
    from orchestrator.api.schema.nodes import schema_of

    text = (live["metadata"].get("annotations") or {}).get(LAST_APPLIED, "{}")
    last = json.loads(text)
    known = name_of_kind(manifest.resource.api_version, manifest.resource.kind) is not None
    schema = schema_of(manifest.resource) if known else None
    patch = three_way(last, _annotated(wanted), live, schema)
    if not patch:
        return "unchanged"
    path = object_path(manifest.resource, namespace, manifest.name)
    after = client.request(
        "PATCH", path, query=query, body=patch, content_type=STRATEGIC if known else MERGE
    )
    same = after["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"]
    return "unchanged" if same and "dryRun" not in query else "configured"
