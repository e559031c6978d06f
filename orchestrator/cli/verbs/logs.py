"""`orch logs`: a container's log, of a pod, of a workload's newest pod, or of all by label."""

import sys
from typing import Any

import click

from orchestrator.cli.options import Session, open_session, server_options
from orchestrator.cli.targets import collection_path, find_resource, object_path
from orchestrator.kit.clock import parse_rfc3339

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@click.command()
@click.argument("what", required=False)
@click.option("-c", "--container", default="", help="Which container, where there are several.")
@click.option("-f", "--follow", is_flag=True, help="Go on as it grows.")
@click.option("-p", "--previous", is_flag=True, help="Of the run before the last restart.")
@click.option("--tail", type=int, default=-1, help="Only the last lines; -1 for all.")
@click.option("--since", default="", help="Only newer than this: 30s, 5m, 2h.")
@click.option("--since-time", default="", help="Only newer than this RFC 3339 time.")
@click.option("--timestamps", is_flag=True, help="A time in front of each line.")
@click.option("--limit-bytes", type=int, default=0, help="At most this many bytes.")
@click.option("-l", "--selector", default="", help="All pods with these labels.")
@click.option("--prefix", is_flag=True, help="Pod and container in front of each line.")
@server_options
def logs(
    what: str | None,
    container: str,
    follow: bool,
    previous: bool,
    tail: int,
    since: str,
    since_time: str,
    timestamps: bool,
    limit_bytes: int,
    selector: str,
    prefix: bool,
    kubeconfig: str,
    context: str,
    namespace: str,
) -> None:
    """Show a log: `orch logs web-1 -f`, `orch logs deploy/web`, `orch logs -l app=web`."""
    if bool(what) == bool(selector):
        raise click.UsageError("say which: a pod, TYPE/NAME, or -l SELECTOR")
    query: dict[str, str | int] = {}
    if tail >= 0 or selector:
        query["tailLines"] = tail if tail >= 0 else 10
    if since:
        query["sinceSeconds"] = _seconds(since)
    if since_time:
        query["sinceTime"] = since_time
    if limit_bytes:
        query["limitBytes"] = limit_bytes
    for flag, name in ((follow, "follow"), (previous, "previous"), (timestamps, "timestamps")):
        if flag:
            query[name] = "true"
    with open_session(kubeconfig, context, namespace) as session:
        pods = _pods(session, what, selector)
        if follow and len(pods) > 1:
            raise click.UsageError(f"-f follows one pod; {len(pods)} match")
        for pod in pods:
            name = container or _default_container(pod, what or name_of(pod))
            path = object_path(
                find_resource("pods"), pod["metadata"]["namespace"], name_of(pod), "log"
            )
            title = f"[pod/{name_of(pod)}/{name}] " if prefix else ""
            _copy(session, path, {**query, "container": name}, title)


def name_of(document: dict[str, Any]) -> str:
    """`metadata.name`."""
    return str(document["metadata"]["name"])


def _seconds(text: str) -> int:
    total, number = 0.0, ""
    for letter in text:
        if letter in _UNITS and number:
            total, number = total + float(number) * _UNITS[letter], ""
        elif letter.isdigit() or letter == ".":
            number += letter
        else:
            raise click.BadParameter(f"{text!r} is no duration; write 30s, 5m or 1h30m")
    if number:
        raise click.BadParameter(f"{text!r} has no unit; write {text}s, {text}m or {text}h")
    return max(1, round(total))


def _pods(session: Session, what: str | None, selector: str) -> list[dict[str, Any]]:
    pods = find_resource("pods")
    base = collection_path(pods, session.namespace)
    if what is None:
        found = session.client.request("GET", base, query={"labelSelector": selector})["items"]
        if not found:
            raise click.ClickException(f"no pods match {selector!r}")
        return list(found)
    kind, _, name = what.rpartition("/")
    resource = find_resource(kind) if kind else pods
    if resource is pods or resource.plural == "pods":
        return [session.client.request("GET", f"{base}/{name}")]
    owner = session.client.request("GET", object_path(resource, session.namespace, name))
    labels = ((owner.get("spec") or {}).get("selector") or {}).get("matchLabels")
    labels = labels or (owner.get("spec") or {}).get("selector")
    if not labels:
        raise click.ClickException(f"{what} has no selector, so it has no pods to read from")
    query = {"labelSelector": ",".join(f"{k}={v}" for k, v in labels.items())}
    found = session.client.request("GET", base, query=query)["items"]
    if not found:
        raise click.ClickException(f"{what} has no pods")
    found.sort(key=_rank)
    if len(found) > 1:
        click.echo(f"Found {len(found)} pods, using pod/{name_of(found[0])}", err=True)
    return [found[0]]


def _rank(pod: dict[str, Any]) -> tuple[bool, float, str]:
    running = (pod.get("status") or {}).get("phase") == "Running"
    created = parse_rfc3339(pod["metadata"]["creationTimestamp"])
    return (not running, -created, name_of(pod))


def _default_container(pod: dict[str, Any], what: str) -> str:
    names = [str(c["name"]) for c in pod["spec"]["containers"]]
    annotations = pod["metadata"].get("annotations") or {}
    chosen = annotations.get("kubectl.kubernetes.io/default-container")
    if chosen in names:
        return str(chosen)
    if len(names) > 1:
        click.echo(
            f"Defaulted container {names[0]!r} of {what} out of: {', '.join(names)}", err=True
        )
    return names[0]


def _copy(session: Session, path: str, query: dict[str, str | int], title: str) -> None:
    out = sys.stdout.buffer
    fresh = True
    for piece in session.client.stream(path, query=query, accept="*/*"):
        if not title:
            out.write(piece)
            out.flush()
            continue
        for line in piece.splitlines(keepends=True):
            out.write((title.encode() if fresh else b"") + line)
            fresh = line.endswith(b"\n")
        out.flush()
