"""`orch completion`: a script for the shell, and what it completes."""

import click

_SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a completion script: `source <(orch completion bash)`."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.ClickException(f"no completion for {shell}; there is {', '.join(_SHELLS)}")
    click.echo(kind(ctx.find_root().command, {}, "orch", "_ORCH_COMPLETE").source())


def complete_what(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Resource types, and names once the type is there; silent when no server answers."""
    from orchestrator.api.resources import RESOURCES
    from orchestrator.cli.client import Client
    from orchestrator.cli.kubeconfig import load_access
    from orchestrator.cli.served import custom_kinds
    from orchestrator.cli.targets import collection_path, find_resource
    from orchestrator.kit.errors import OrchError

    given = tuple(ctx.params.get(param.name or "") or ())
    kind, slash, _ = incomplete.partition("/")
    if not given and not slash:
        words = sorted({r.plural for r in RESOURCES if "list" in r.verbs})
        return [w for w in words if w.startswith(incomplete)]
    try:
        access = load_access(ctx.params.get("kubeconfig") or "", ctx.params.get("context") or "")
        namespace = ctx.params.get("namespace") or access.namespace
        client = Client(access, timeout_s=2.0)
        resource = find_resource(kind if slash else given[0], lambda: custom_kinds(client))
        answer = client.request("GET", collection_path(resource, namespace))
    except OrchError:
        return []
    names = [i["metadata"]["name"] for i in answer["items"]]
    full = [f"{kind}/{n}" for n in names] if slash else names
    return [n for n in full if n.startswith(incomplete)]
