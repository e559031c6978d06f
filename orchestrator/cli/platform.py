"""The platform's life: bootstrap, reset, server, stop, status, kubeconfig."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orchestrator.cli.environment import state_dir
from orchestrator.kit.errors import ConfigError, OrchError

if TYPE_CHECKING:
    from orchestrator.bootstrap.inventory.model import Inventory
    from orchestrator.bootstrap.platform import BootstrapSummary
    from orchestrator.bootstrap.settings import BootstrapSettings

Command = TypeVar("Command", bound=Callable[..., Any])

_STATE_HELP = "State directory ($ORCH_STATE_DIR; /var/lib/orch for root, else ~/.local/share/orch)."


def _state_option(command: Command) -> Command:
    return click.option("--state-dir", "state", default="", help=_STATE_HELP)(command)


def _load(inventory: Path) -> "Inventory":
    from orchestrator.bootstrap.inventory.load import load_inventory
    from orchestrator.cli.environment import variables

    loaded = load_inventory(inventory, variables(), Path.home())
    for note in loaded.notes:
        click.echo(f"note: {note}", err=True)
    return loaded


def _patience_option(command: Command) -> Command:
    words = "Deadlines are so many times as long, for slow or emulated hosts (1)."
    kind = click.FloatRange(1, 100)
    return click.option("--patience", type=kind, default=1.0, help=words)(command)


def _settings(patience: float, *, install: bool = True, parallel: int = 0) -> "BootstrapSettings":
    from dataclasses import replace

    from orchestrator.bootstrap.settings import BootstrapSettings

    settings = BootstrapSettings(install=install).patient(patience)
    return replace(settings, parallel=parallel) if parallel else settings


@click.command()
@click.argument("inventory", type=click.Path(path_type=Path))
@_state_option
@click.option("--dry-run", is_flag=True, help="Print what would be done; change nothing.")
@click.option("--no-install", is_flag=True, help="Install no packages on the hosts.")
@click.option("--prune", is_flag=True, help="Drain and remove hosts that the inventory lost.")
@click.option("--api-port", type=click.IntRange(1, 65535), help="Port of the API (8080).")
@click.option("--lb-port", type=click.IntRange(1, 65535), help="Port of the balancer (8081).")
@click.option("--address", default="", help="Name or address that clients reach this machine at.")
@click.option("--parallel", type=click.IntRange(1), help="Hosts to work on at once.")
@_patience_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for machines.")
def bootstrap(
    inventory: Path,
    state: str,
    dry_run: bool,
    no_install: bool,
    prune: bool,
    api_port: int | None,
    lb_port: int | None,
    address: str,
    parallel: int | None,
    patience: float,
    as_json: bool,
) -> None:
    """Turn an inventory into a running platform; run it again after a change.

    The exit status is 0 when everything is as the inventory says, 1 when a host or the server
    failed (the summary says which, where and why), 2 when the inventory is wrong.
    """
    from orchestrator.bootstrap.platform import BootstrapRequest
    from orchestrator.bootstrap.platform import bootstrap as run
    from orchestrator.cli.progress import progress

    loaded = _load(inventory)
    request = BootstrapRequest(
        inventory=loaded,
        inventory_dir=inventory.absolute().parent,
        state_dir=state_dir(state),
        home=Path.home(),
        api_port=api_port or 0,
        lb_port=lb_port or 0,
        address=address,
        dry_run=dry_run,
        prune=prune,
    )
    columns = ("connect", "facts", "prepare", *(() if dry_run else ("join", "ready")))
    settings = _settings(patience, install=not no_install, parallel=parallel or 0)
    with progress([n.name for n in loaded.nodes], columns, as_json=as_json) as report:
        summary = run(request, settings, report)
    if as_json:
        click.echo(json.dumps(_summary_document(summary)))
    else:
        _print_summary(summary, request.state_dir, dry_run=dry_run)
    if not summary.ok:
        raise SystemExit(1)


def _summary_document(summary: "BootstrapSummary") -> dict[str, Any]:
    return {
        "summary": {
            "ok": summary.ok,
            "hosts": [
                {
                    "name": o.node.name,
                    "ok": o.prepared,
                    "changes": [step.title for step in o.done],
                    "warnings": list(o.warnings),
                    "failures": [{"step": f.step, "message": f.message} for f in o.failures],
                }
                for o in summary.outcomes
            ],
            "notInInventory": list(summary.leftover),
            "pruned": list(summary.pruned),
            "server": summary.server.message if summary.server else "",
            "url": summary.url,
            "tookSeconds": round(summary.took_s, 3),
        }
    }


def _print_summary(summary: "BootstrapSummary", state: Path, *, dry_run: bool) -> None:
    good = [o for o in summary.outcomes if o.prepared]
    changed = [o for o in good if o.done]
    word = "would change" if dry_run else "changed"
    how = "prepared" if dry_run or summary.server else "ready"
    click.echo(
        f"\n{len(good)} of {len(summary.outcomes)} hosts {how}, {len(changed)} {word}, "
        f"{summary.took_s:.1f} s"
    )
    for outcome in summary.failed:
        for failure in outcome.failures:
            click.secho(
                f"failed: {outcome.node.name} ({outcome.node.place}) at {failure.step}: "
                f"{failure.message}",
                fg="red",
                err=True,
            )
    if summary.server:
        click.secho(f"failed: control plane: {summary.server.message}", fg="red", err=True)
    if summary.leftover:
        click.echo(
            f"not in the inventory any more: {', '.join(summary.leftover)} (--prune removes them)"
        )
    if dry_run or summary.server:
        return
    click.echo(
        f"""
next:
  orch nodes                                 the hosts
  orch apply -f FILE                         run something
  export KUBECONFIG={state / "admin.kubeconfig"}    for kubectl and other clients
  {summary.url}/docs{" " * max(1, 36 - len(summary.url))}the API's documentation"""
    )


@click.command()
@click.argument("inventory", type=click.Path(path_type=Path))
@_state_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--purge",
    is_flag=True,
    help="Remove the packages that bootstrap installed, too; an engine with all that it kept.",
)
@_patience_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for machines.")
def reset(
    inventory: Path, state: str, yes: bool, purge: bool, patience: float, as_json: bool
) -> None:
    """Take everything of ours off the hosts; afterwards they are as before.

    The server and the load balancer are stopped first. The state directory stays: bootstrap brings
    everything back from it; remove it to forget everything.
    """
    from orchestrator.bootstrap.platform import make_connector
    from orchestrator.bootstrap.reset import reset_hosts
    from orchestrator.bootstrap.service import Service
    from orchestrator.bootstrap.state import StateDirectory
    from orchestrator.cli.progress import progress

    loaded = _load(inventory)
    names = [n.name for n in loaded.nodes]
    if not yes:
        extra = ", and the packages that bootstrap installed, engines with their data,"
        more = extra if purge else ""
        click.confirm(
            f"Remove all containers, files and processes of orch{more} from {', '.join(names)}?",
            abort=True,
        )
    directory = StateDirectory(state_dir(state))
    settings = _settings(patience)
    service = Service(directory)
    connector = make_connector(
        inventory.absolute().parent, Path.home(), directory, settings, record=False
    )
    try:
        service.stop()
        service.stop_balancer()
        service.remove_unit()
        with progress(names, ("connect", "clean"), as_json=as_json) as report:
            outcomes = reset_hosts(
                loaded.nodes, directory, connector, settings, report, purge=purge
            )
    except OrchError as error:
        raise click.ClickException(str(error)) from error
    finally:
        connector.close()
    failed = [o for o in outcomes if o.failure]
    if not as_json:
        click.echo(f"\n{len(outcomes) - len(failed)} of {len(outcomes)} hosts are as before")
        click.echo(f"the state stays in {directory.path}; remove it to forget everything")
    if failed:
        raise SystemExit(1)


@click.command()
@_state_option
def server(state: str) -> None:
    """Run the server in the foreground (bootstrap starts it in the background)."""
    from orchestrator.server import run_server

    run_server(state_dir(state))


@click.command()
@_state_option
@click.option("--all", "everything", is_flag=True, help="The load balancer, too.")
def stop(state: str, everything: bool) -> None:
    """Stop the server; containers and the load balancer go on."""
    from orchestrator.bootstrap.service import Service
    from orchestrator.bootstrap.state import StateDirectory

    service = Service(StateDirectory(state_dir(state)))
    try:
        click.echo("server: stopped" if service.stop() else "server: was not running")
        if everything:
            stopped = service.stop_balancer()
            click.echo("load balancer: stopped" if stopped else "load balancer: was not running")
    except OrchError as error:
        raise click.ClickException(str(error)) from error


@click.command()
@_state_option
@click.option("-o", "--output", type=click.Choice(["json"]), help="Output format.")
def status(state: str, output: str | None) -> None:
    """Say how server, hosts and balancer are; exit status 1 when something is not well."""
    from orchestrator.bootstrap.status import read_status
    from orchestrator.cli.printing import columns

    found = read_status(state_dir(state))
    if output == "json":
        click.echo(json.dumps(found.document(), indent=2))
    else:
        for line in columns(found.rows()):
            click.echo(line)
    if not found.well:
        raise SystemExit(1)


@click.command()
@_state_option
@click.option("--server", "url", default="", help="URL to write instead of the one that is there.")
def kubeconfig(state: str, url: str) -> None:
    """Print the administrator's kubeconfig: `orch kubeconfig > ~/.kube/config`."""
    path = state_dir(state) / "admin.kubeconfig"
    if not path.is_file():
        raise ConfigError([f"no kubeconfig in {path.parent}; run `orch bootstrap` first"])
    text = path.read_text()
    if url:
        import yaml

        document = yaml.safe_load(text)
        document["clusters"][0]["cluster"]["server"] = url
        text = yaml.safe_dump(document, sort_keys=False)
    os.write(1, text.encode())
