"""`orch describe`: one object with everything that belongs to it: replicas, endpoints, events."""

from typing import Any

import click

from orchestrator.api.names import SLICE_SERVICE
from orchestrator.api.resources import Resource
from orchestrator.cli.client import ApiFailure
from orchestrator.cli.describe.cluster import describe_node, describe_other, describe_service
from orchestrator.cli.describe.page import Page, events
from orchestrator.cli.describe.pod import describe_pod
from orchestrator.cli.describe.workload import (
    describe_deployment,
    describe_replica_set,
    selector_text,
)
from orchestrator.cli.options import Session, open_session, server_options
from orchestrator.cli.targets import collection_path, find_resource, parse_targets
from orchestrator.cli.verbs.completion import complete_what
from orchestrator.kit.clock import SystemClock


@click.command()
@click.argument("what", nargs=-1, required=True, shell_complete=complete_what)
@click.option("-l", "--selector", default="", help="Label selector.")
@server_options
def describe(
    what: tuple[str, ...], selector: str, kubeconfig: str, context: str, namespace: str
) -> None:
    """Show one object with what belongs to it: `orch describe pod web-1`."""
    with open_session(kubeconfig, context, namespace) as session:
        pages = []
        for target in parse_targets(what, session.served):
            base = collection_path(target.resource, session.namespace)
            if target.names:
                found = [_by_name(session, base, n) for n in target.names]
                documents = [d for group in found for d in group]
            else:
                query = {"labelSelector": selector} if selector else {}
                documents = session.client.request("GET", base, query=query)["items"]
            pages += [_page(session, target.resource, d) for d in documents]
        if not pages:
            click.echo("No resources found", err=True)
        click.echo("\n\n\n".join("\n".join(lines) for lines in pages))


def _by_name(session: Session, base: str, name: str) -> list[dict[str, Any]]:
    try:
        return [session.client.request("GET", f"{base}/{name}")]
    except ApiFailure as failure:
        if failure.code != 404:
            raise
        listed = session.client.request("GET", base)["items"]
        near = [d for d in listed if d["metadata"]["name"].startswith(name)]
        if not near:
            raise
        return near


def _items(session: Session, word: str, namespace: str, **query: str) -> list[dict[str, Any]]:
    path = collection_path(find_resource(word), namespace)
    found: list[dict[str, Any]] = session.client.request("GET", path, query=query)["items"]
    return found


def _page(session: Session, resource: Resource, document: dict[str, Any]) -> list[str]:
    page, now_s = Page(), SystemClock().wall()
    meta = document["metadata"]
    namespace = meta.get("namespace", "")
    document.setdefault("kind", resource.kind)
    match resource.kind:
        case "Pod":
            describe_pod(page, document)
        case "Deployment":
            owned = [
                r
                for r in _items(session, "replicasets", namespace)
                if any(o["uid"] == meta["uid"] for o in r["metadata"].get("ownerReferences") or [])
            ]
            describe_deployment(page, document, owned)
        case "ReplicaSet":
            labels = selector_text(document["spec"].get("selector"))
            pods = _items(session, "pods", namespace, labelSelector=labels)
            describe_replica_set(page, document, pods)
        case "Node":
            fields = f"spec.nodeName={meta['name']},status.phase!=Succeeded,status.phase!=Failed"
            pods = _items(session, "pods", "", fieldSelector=fields)
            describe_node(page, document, pods, now_s)
        case "Service":
            labels = f"{SLICE_SERVICE}={meta['name']}"
            slices = _items(session, "endpointslices", namespace, labelSelector=labels)
            describe_service(page, document, slices)
        case _:
            describe_other(page, document)
    about = f"involvedObject.name={meta['name']},involvedObject.uid={meta['uid']}"
    if resource.kind != "Event":
        events(page, _items(session, "events", namespace, fieldSelector=about), now_s)
    return page.lines()
