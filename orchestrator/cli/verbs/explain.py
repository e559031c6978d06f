"""`orch explain pod`: why a pod is where it is, or why it waits."""

import click

from orchestrator.cli.explained import explained
from orchestrator.cli.options import open_session, server_options
from orchestrator.cli.printing import to_json
from orchestrator.cli.targets import object_path, parse_targets
from orchestrator.cli.verbs.completion import complete_what


@click.command()
@click.argument("what", nargs=-1, required=True, shell_complete=complete_what)
@click.option("-o", "--output", type=click.Choice(["json"]), help="Output format.")
@server_options
def explain(
    what: tuple[str, ...], output: str | None, kubeconfig: str, context: str, namespace: str
) -> None:
    """Say why a pod is where it is, or why it waits: `orch explain pod web-1`.

    Shows how the hosts compare for it now, with points by score, and what is against the others.
    Nothing is changed.
    """
    with open_session(kubeconfig, context, namespace) as session:
        found = []
        for target in parse_targets(what, session.served):
            if target.resource.resource != "pods" or not target.names:
                raise click.ClickException("it is pods that are placed: orch explain pod NAME")
            for name in target.names:
                path = object_path(target.resource, session.namespace, name, "placement")
                found.append(session.client.request("GET", path))
        if output == "json":
            click.echo(to_json(found[0] if len(found) == 1 else found))
        else:
            click.echo("\n\n".join("\n".join(explained(one)) for one in found))
