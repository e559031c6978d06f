"""`orch simulate`: what would happen, on a copy of the state; nothing is changed."""

import json
from dataclasses import replace

import click

from orchestrator.cli.manifests import Manifest, load_manifests
from orchestrator.cli.options import Session, open_session, server_options
from orchestrator.cli.printing import to_json
from orchestrator.cli.simulated import document, read_settings, read_state, told
from orchestrator.cli.threeway import LAST_APPLIED, three_way
from orchestrator.kit.aio.logging import configure_logging
from orchestrator.kit.clock import SystemClock
from orchestrator.kit.errors import ConfigError
from orchestrator.kit.ids import ObjectKey
from orchestrator.simulation.copied import Copied, key_of
from orchestrator.simulation.run import simulate as run
from orchestrator.simulation.scenario import Applied, Document, Scenario, chosen, new_nodes


@click.command()
@click.option("--fail", multiple=True, help="A host that does not answer any more, or label=value.")
@click.option("--drain", multiple=True, help="A host to drain, or label=value.")
@click.option("--add-nodes", multiple=True, help="New hosts: N:cpu=4,memory=8Gi[,zone=a,...].")
@click.option("-f", "--filename", "files", multiple=True, help="File, folder or - to apply.")
@click.option("-R", "--recursive", is_flag=True, help="Folders with all their sub-folders.")
@click.option("-o", "--output", type=click.Choice(["json"]), help="Output format.")
@server_options
def simulate(
    fail: tuple[str, ...],
    drain: tuple[str, ...],
    add_nodes: tuple[str, ...],
    files: tuple[str, ...],
    recursive: bool,
    output: str | None,
    kubeconfig: str,
    context: str,
    namespace: str,
) -> None:
    """Say what would happen, and change nothing: `orch simulate --fail web-1`.

    Copies what you may read of the state, lets the real scheduler and controllers run on the copy,
    and tells what would move, wait, be lost or be blocked. Options can be given several times and
    together: hosts are added first, then files are applied, then hosts fail and are drained.
    """
    if not (fail or drain or add_nodes or files):
        raise click.UsageError("say what is to happen: --fail, --drain, --add-nodes or -f")
    configure_logging("critical")  # what controllers log is about a world that is not there
    with open_session(kubeconfig, context, namespace) as session:
        manifests = (
            load_manifests(files, recursive=recursive, served=session.served) if files else []
        )
        copied, notes = read_state(session.client)
        settings, more = read_settings(session.client)
    scenario = _scenario(copied, fail, drain, add_nodes)
    scenario = replace(scenario, applied=_applied(session, manifests, copied))
    found = run(copied, scenario, settings, SystemClock().wall())
    found = replace(found, notes=[*notes, *more, *found.notes])
    click.echo(to_json(document(found)) if output == "json" else "\n".join(told(found)))


def _scenario(
    copied: Copied, fail: tuple[str, ...], drain: tuple[str, ...], add_nodes: tuple[str, ...]
) -> Scenario:
    labels = {n["metadata"]["name"]: n["metadata"].get("labels") or {} for n in copied["nodes"]}
    resources = {
        name for n in copied["nodes"] for name in (n.get("status") or {}).get("allocatable") or ()
    }
    problems: list[str] = []
    made = Scenario()
    try:
        made = replace(made, fail=chosen("--fail", fail, labels))
    except ConfigError as error:
        problems += error.problems
    try:
        made = replace(made, drain=chosen("--drain", drain, labels))
    except ConfigError as error:
        problems += error.problems
    try:
        made = replace(made, nodes=new_nodes(add_nodes, labels, resources))
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    return made


def _applied(session: Session, manifests: list[Manifest], copied: Copied) -> list[Applied]:
    """What `orch apply` would send, for the kinds that the copy knows."""
    live = {
        key_of(resource, found): found
        for resource, documents in copied.items()
        for found in documents
    }
    made: list[Applied] = []
    for manifest in manifests:
        resource = manifest.resource
        if resource.stored_as or resource.custom is not None or not _is_known(manifest):
            click.echo(f"note: {manifest.place}: {resource.kind} decides nothing here", err=True)
            continue
        meta = dict(manifest.document["metadata"])
        if resource.namespaced:
            meta["namespace"] = meta.get("namespace") or session.namespace
        key = ObjectKey(resource.resource, meta.get("namespace", ""), manifest.name)
        wanted = {**manifest.document, "metadata": meta}
        patch = _patch(manifest, wanted, live[key]) if key in live else None
        made.append(Applied(manifest.place, key, wanted, patch))
    return made


def _is_known(manifest: Manifest) -> bool:
    from orchestrator.api.schema.bundle import name_of_kind  # loads the schema bundle

    return name_of_kind(manifest.resource.api_version, manifest.resource.kind) is not None


def _patch(manifest: Manifest, wanted: Document, live: Document) -> Document:
    from orchestrator.api.schema.nodes import schema_of  # loads the schema bundle

    text = (live["metadata"].get("annotations") or {}).get(LAST_APPLIED, "{}")
    annotated = {**wanted, "metadata": {"annotations": {}, **wanted["metadata"]}}
    return three_way(json.loads(text), annotated, live, schema_of(manifest.resource))
