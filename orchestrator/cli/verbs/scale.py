"""`orch scale`: sets the number of replicas."""

import click

from orchestrator.cli.options import open_session, server_options
from orchestrator.cli.targets import object_path, parse_targets, typed_name
from orchestrator.cli.verbs.completion import complete_what


@click.command()
@click.argument("what", nargs=-1, required=True, shell_complete=complete_what)
@click.option("--replicas", type=click.IntRange(min=0), required=True, help="The new number.")
@click.option("--current-replicas", type=int, default=-1, help="Only if it is this now.")
@server_options
def scale(
    what: tuple[str, ...],
    replicas: int,
    current_replicas: int,
    kubeconfig: str,
    context: str,
    namespace: str,
) -> None:
    """Set the number of replicas: `orch scale deploy/web --replicas 5`."""
    with open_session(kubeconfig, context, namespace) as session:
        for target in parse_targets(what, session.served):
            if target.resource.subresource("scale") is None:
                raise click.ClickException(f"{target.resource.plural} cannot be scaled")
            for name in target.names:
                path = object_path(target.resource, session.namespace, name, "scale")
                if current_replicas >= 0:
                    found = session.client.request("GET", path)["spec"].get("replicas", 0)
                    if found != current_replicas:
                        raise click.ClickException(
                            f"expected replicas to be {current_replicas}, was {found}"
                        )
                session.client.request(
                    "PATCH",
                    path,
                    body={"spec": {"replicas": replicas}},
                    content_type="application/merge-patch+json",
                )
                click.echo(f"{typed_name(target.resource, name)} scaled")
