"""`orch rollout`: status, history, undo, restart, pause, resume of Deployments.

Source: kubectl rollout; Kubernetes concepts, "Deployments".
"""

from collections.abc import Callable
from typing import Any

import click

from orchestrator.api.names import DEPLOYMENT_REVISION, POD_TEMPLATE_HASH
from orchestrator.api.resources import Resource
from orchestrator.cli.options import Session, open_session, server_options
from orchestrator.cli.printing import columns
from orchestrator.cli.targets import (
    collection_path,
    find_resource,
    object_path,
    parse_targets,
    typed_name,
)
from orchestrator.cli.verbs.completion import complete_what
from orchestrator.kit.clock import SystemClock, rfc3339

STRATEGIC = "application/strategic-merge-patch+json"
CHANGE_CAUSE = "kubernetes.io/change-cause"


@click.group()
def rollout() -> None:
    """Follow or undo a rollout."""


def _each(
    what: tuple[str, ...],
    access: tuple[str, str, str],
    act: Callable[[Session, Resource, str], None],
) -> None:
    with open_session(*access) as session:
        for target in parse_targets(what, session.served):
            if target.resource.kind != "Deployment":
                raise click.ClickException(
                    f"{target.resource.plural} have no rollouts; deployments have"
                )
            if not target.names:
                raise click.UsageError("name a deployment: deploy/NAME")
            for name in target.names:
                act(session, target.resource, name)


@rollout.command()
@click.argument("what", nargs=-1, required=True, shell_complete=complete_what)
@click.option("-w", "--watch/--no-watch", default=True, help="Wait until it is done.")
@click.option("--timeout", "timeout_s", type=int, default=0, help="Seconds to wait; 0 for ever.")
@server_options
def status(
    what: tuple[str, ...],
    watch: bool,
    timeout_s: int,
    kubeconfig: str,
    context: str,
    namespace: str,
) -> None:
    """Show how far a rollout is, until it is done: `orch rollout status deploy/web`."""

    def act(session: Session, resource: Resource, name: str) -> None:
        live = session.client.request("GET", object_path(resource, session.namespace, name))
        line, done = progress(live)
        click.echo(line)
        if done or not watch:
            return
        base = collection_path(resource, session.namespace)
        deadline = SystemClock().monotonic() + timeout_s if timeout_s else None
        revision = live["metadata"]["resourceVersion"]
        while True:
            left = int(deadline - SystemClock().monotonic()) if deadline else 300
            if left <= 0:
                raise click.ClickException("timed out waiting for the condition")
            query: dict[str, str | int] = {
                "fieldSelector": f"metadata.name={name}",
                "resourceVersion": revision,
                "timeoutSeconds": min(left, 300) or 1,
            }
            for event in session.client.watch(base, query=query):
                if event["type"] == "DELETED":
                    raise click.ClickException("object has been deleted")
                revision = event["object"]["metadata"]["resourceVersion"]
                latest, done = progress(event["object"])
                if latest != line:
                    click.echo(latest)
                    line = latest
                if done:
                    return

    _each(what, (kubeconfig, context, namespace), act)


def progress(deployment: dict[str, Any]) -> tuple[str, bool]:
    """Kubectl's sentence for a Deployment's rollout, and whether it is done.

    Raises:
        click.ClickException: the rollout exceeded its progress deadline.
    """
    name = deployment["metadata"]["name"]
    status = deployment.get("status") or {}
    wanted = deployment["spec"].get("replicas", 1)
    updated, total = status.get("updatedReplicas", 0), status.get("replicas", 0)
    available = status.get("availableReplicas", 0)
    if deployment["metadata"].get("generation", 0) > status.get("observedGeneration", 0):
        return "Waiting for deployment spec update to be observed...", False
    for condition in status.get("conditions") or []:
        if condition.get("reason") == "ProgressDeadlineExceeded":
            raise click.ClickException(f'deployment "{name}" exceeded its progress deadline')
    waiting = f'Waiting for deployment "{name}" rollout to finish: '
    if updated < wanted:
        return f"{waiting}{updated} out of {wanted} new replicas have been updated...", False
    if total > updated:
        return f"{waiting}{total - updated} old replicas are pending termination...", False
    if available < updated:
        return f"{waiting}{available} of {updated} updated replicas are available...", False
    return f'deployment "{name}" successfully rolled out', True


def _revisions(
    session: Session, resource: Resource, name: str
) -> tuple[dict[str, Any], dict[int, dict[str, Any]]]:
    live = session.client.request("GET", object_path(resource, session.namespace, name))
    base = collection_path(find_resource("replicasets"), session.namespace)
    uid = live["metadata"]["uid"]
    found = {}
    for replica_set in session.client.request("GET", base)["items"]:
        owners = replica_set["metadata"].get("ownerReferences") or []
        annotations = replica_set["metadata"].get("annotations") or {}
        if any(o.get("uid") == uid for o in owners) and DEPLOYMENT_REVISION in annotations:
            found[int(annotations[DEPLOYMENT_REVISION])] = replica_set
    if not found:
        raise click.ClickException(f'no rollout history found for deployment "{name}"')
    return live, found


@rollout.command()
@click.argument("what", nargs=-1, required=True, shell_complete=complete_what)
@click.option("--revision", type=int, default=0, help="Show this revision's containers.")
@server_options
def history(
    what: tuple[str, ...], revision: int, kubeconfig: str, context: str, namespace: str
) -> None:
    """Show the revisions that an undo can go back to."""

    def act(session: Session, resource: Resource, name: str) -> None:
        _, revisions = _revisions(session, resource, name)
        if revision:
            if revision not in revisions:
                raise click.ClickException(f"unable to find revision {revision}")
            click.echo(f"{typed_name(resource, name)} with revision #{revision}")
            for container in revisions[revision]["spec"]["template"]["spec"]["containers"]:
                click.echo(f"  {container['name']}: {container['image']}")
            return
        click.echo(typed_name(resource, name))
        rows = [["REVISION", "CHANGE-CAUSE"]]
        for number in sorted(revisions):
            annotations = revisions[number]["metadata"].get("annotations") or {}
            rows.append([str(number), annotations.get(CHANGE_CAUSE, "<none>")])
        for line in columns(rows):
            click.echo(line)

    _each(what, (kubeconfig, context, namespace), act)


@rollout.command()
@click.argument("what", nargs=-1, required=True, shell_complete=complete_what)
@click.option("--to-revision", type=int, default=0, help="Which revision; 0 for the one before.")
@server_options
def undo(
    what: tuple[str, ...], to_revision: int, kubeconfig: str, context: str, namespace: str
) -> None:
    """Go back to an earlier revision: `orch rollout undo deploy/web`."""

    def act(session: Session, resource: Resource, name: str) -> None:
        live, revisions = _revisions(session, resource, name)
        if live["spec"].get("paused"):
            raise click.ClickException(
                f"cannot roll back a paused deployment; resume it first with `orch rollout resume "
                f"deployment/{name}`"
            )
        ordered = sorted(revisions)
        if not to_revision and len(ordered) < 2:
            raise click.ClickException(f'no rollout history found for deployment "{name}"')
        chosen = to_revision or ordered[-2]
        if chosen not in revisions:
            raise click.ClickException(
                f"unable to find revision {chosen}; there are {', '.join(map(str, ordered))}"
            )
        template = revisions[chosen]["spec"]["template"]
        labels = {
            k: v
            for k, v in ((template.get("metadata") or {}).get("labels") or {}).items()
            if k != POD_TEMPLATE_HASH
        }
        template = {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}}
        if template == live["spec"]["template"]:
            click.echo(
                f"{typed_name(resource, name)} skipped rollback "
                f"(current template already matches revision {chosen})"
            )
            return
        patch = [{"op": "replace", "path": "/spec/template", "value": template}]
        session.client.request(
            "PATCH",
            object_path(resource, session.namespace, name),
            body=patch,
            content_type="application/json-patch+json",
        )
        click.echo(f"{typed_name(resource, name)} rolled back")

    _each(what, (kubeconfig, context, namespace), act)


def _patching(
    what: tuple[str, ...], access: tuple[str, str, str], patch: dict[str, Any], done: str, same: str
) -> None:
    def act(session: Session, resource: Resource, name: str) -> None:
        path = object_path(resource, session.namespace, name)
        before = session.client.request("GET", path)["metadata"]["resourceVersion"]
        after = session.client.request("PATCH", path, body=patch, content_type=STRATEGIC)
        if same and before == after["metadata"]["resourceVersion"]:
            raise click.ClickException(f"{typed_name(resource, name)} {same}")
        click.echo(f"{typed_name(resource, name)} {done}")

    _each(what, access, act)


@rollout.command()
@click.argument("what", nargs=-1, required=True, shell_complete=complete_what)
@server_options
def restart(what: tuple[str, ...], kubeconfig: str, context: str, namespace: str) -> None:
    """Replace all pods, a few at a time."""
    stamp = {"kubectl.kubernetes.io/restartedAt": rfc3339(SystemClock().wall())}
    patch = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
    _patching(what, (kubeconfig, context, namespace), patch, "restarted", "")


@rollout.command()
@click.argument("what", nargs=-1, required=True, shell_complete=complete_what)
@server_options
def pause(what: tuple[str, ...], kubeconfig: str, context: str, namespace: str) -> None:
    """Stop rolling out changes until resumed."""
    patch = {"spec": {"paused": True}}
    _patching(what, (kubeconfig, context, namespace), patch, "paused", "is already paused")


@rollout.command()
@click.argument("what", nargs=-1, required=True, shell_complete=complete_what)
@server_options
def resume(what: tuple[str, ...], kubeconfig: str, context: str, namespace: str) -> None:
    """Go on rolling out changes."""
    patch = {"spec": {"paused": None}}
    _patching(what, (kubeconfig, context, namespace), patch, "resumed", "is not paused")
