"""`orch local`: clusters whose hosts are containers on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from orchestrator.kit.errors import ConfigError, OrchError

_DEFAULT = "local"


@click.group()
def local() -> None:
    """Local clusters: hosts as containers, each with its own sshd and Docker Engine."""


@contextmanager
def _told() -> Iterator[None]:
    """Errors on purpose become one message and exit status 1."""
    try:
        yield
    except ConfigError as error:
        raise click.ClickException("\n  ".join(error.problems)) from error
    except OrchError as error:
        raise click.ClickException(str(error)) from error


@local.command()
@click.option("--nodes", default=3, show_default=True, help="How many hosts.")
@click.option("--name", default=_DEFAULT, show_default=True, help="The cluster's name.")
@click.option(
    "--dir", "directory", type=click.Path(path_type=Path),
    help="For inventory and keys; default ~/.local/share/orch/local/NAME.",
)  # fmt: skip
@click.option(
    "--image", "images", multiple=True, metavar="TAG",
    help="Image of this machine's engine to load into every host; repeatable.",
)  # fmt: skip
def up(nodes: int, name: str, directory: Path | None, images: tuple[str, ...]) -> None:
    """Make a cluster of hosts, or complete one that is there."""
    from orchestrator.local import cluster

    with _told():
        made = cluster.up(nodes, name=name, directory=directory, images=images, say=click.echo)
    for host in made.hosts:
        click.echo(f"{host.name}  {host.user}@{host.address}  {host.state}")
    click.echo(f"inventory: {made.inventory}")
    click.echo(f"log in:    ssh -F {made.directory / 'ssh_config'} {made.hosts[0].name}")
    click.echo(f"next:      orch bootstrap {made.inventory}")


@local.command()
@click.argument("name", default=_DEFAULT)
@click.option("--name", "option_name", default="", help="The same as the argument.")
@click.option("--dir", "directory", type=click.Path(path_type=Path), hidden=True)
@click.option("--all", "everything", is_flag=True, help="All local clusters.")
def down(name: str, option_name: str, directory: Path | None, everything: bool) -> None:
    """Remove a cluster: hosts, their data, network, inventory, keys."""
    del directory  # the engine's labels know it; accepted so that up's options can be repeated
    from orchestrator.local import cluster
    from orchestrator.local.engine import connect_engine

    with _told():
        client = connect_engine()
        name = option_name or name
        names = [c.name for c in cluster.clusters(client)] if everything else [name]
        for each in names:
            gone = cluster.down(each, client)
            click.echo(f"{each}: removed" if gone else f"{each}: there is no such local cluster")


@local.command(name="list")
@click.option("-o", "--output", type=click.Choice(["json"]), help="Output format.")
def list_(output: str | None) -> None:
    """Show all local clusters and their hosts."""
    from orchestrator.cli.printing import columns
    from orchestrator.local import cluster

    with _told():
        found = cluster.clusters()
    if output == "json":
        import json

        click.echo(json.dumps([_document(c) for c in found], indent=2))
        return
    if not found:
        click.echo("no local clusters; `orch local up` makes one")
        return
    rows = [["CLUSTER", "HOST", "ADDRESS", "STATE", "INVENTORY"]]
    rows += [[c.name, h.name, h.address, h.state, str(c.inventory)] for c in found for h in c.hosts]
    for line in columns(rows):
        click.echo(line)


def _document(found: Any) -> dict[str, Any]:
    return {
        "name": found.name,
        "inventory": str(found.inventory),
        "hosts": [
            {"name": h.name, "address": h.address, "user": h.user, "state": h.state,
             "identityFile": str(h.identity_file), "container": h.container}
            for h in found.hosts
        ],
    }  # fmt: skip


@local.command()
@click.argument("name")
@click.argument("images", nargs=-1, required=True)
def load(name: str, images: tuple[str, ...]) -> None:
    """Load images of this machine's engine into every host of a cluster."""
    from orchestrator.local import cluster
    from orchestrator.local.engine import connect_engine
    from orchestrator.local.seeding import seed_images

    with _told():
        client = connect_engine()
        hosts = cluster.get(name, client).hosts
        seed_images(client, [h.container for h in hosts], images)
    click.echo(f"loaded {', '.join(images)} into {len(hosts)} hosts")


@local.command(hidden=True)
@click.argument("name")
@click.argument("host")
@click.argument("what")
def fault(name: str, host: str, what: str) -> None:
    """Lose a host, or get it back: kill, restart, pause, unpause, disconnect, connect, ..."""
    from orchestrator.local import cluster
    from orchestrator.local.engine import connect_engine
    from orchestrator.local.faults import Faults

    with _told():
        client = connect_engine()
        Faults(cluster.get(name, client), client).apply(what, host)
    click.echo(f"{name}/{host}: {what}")
