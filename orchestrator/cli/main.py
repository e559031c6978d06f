"""The `orch` command: a click group whose subcommands are imported only when they are called.

Importing every command would cost half a second; `orch get` has 150 ms. Each row of `COMMANDS`
names where a command lives and the one line that help shows for it.
"""

import importlib
from typing import Final

import click

from orchestrator.kit.errors import ConfigError

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    # platform
    "bootstrap": ("orchestrator.cli.platform:bootstrap", "Turn an inventory into a platform."),
    "reset": ("orchestrator.cli.platform:reset", "Take everything of ours off the hosts."),
    "server": ("orchestrator.cli.platform:server", "Run the server in the foreground."),
    "stop": ("orchestrator.cli.platform:stop", "Stop the server; containers go on."),
    "status": ("orchestrator.cli.platform:status", "Say how server, hosts and balancer are."),
    "kubeconfig": ("orchestrator.cli.platform:kubeconfig", "Print the admin's kubeconfig."),
    "local": ("orchestrator.cli.local:local", "Local clusters: hosts as containers."),
    # objects
    "get": ("orchestrator.cli.verbs.get:get", "Show objects."),
    "apply": ("orchestrator.cli.verbs.apply:apply", "Create or change objects from files."),
    "delete": ("orchestrator.cli.verbs.delete:delete", "Delete objects."),
    "describe": (
        "orchestrator.cli.verbs.describe:describe",
        "Show one object with what belongs to it.",
    ),
    "explain": ("orchestrator.cli.verbs.explain:explain", "Say why a pod is where it is."),
    "simulate": (
        "orchestrator.cli.verbs.simulate:simulate",
        "Say what would happen, on a copy of the state.",
    ),
    "logs": ("orchestrator.cli.verbs.logs:logs", "Show a container's log."),
    "scale": ("orchestrator.cli.verbs.scale:scale", "Set the number of replicas."),
    "rollout": ("orchestrator.cli.verbs.rollout:rollout", "Follow or undo a rollout."),
    "nodes": ("orchestrator.cli.verbs.get:nodes", "Show the hosts."),
    "completion": ("orchestrator.cli.verbs.completion:completion", "Print shell completion."),
}


class LazyGroup(click.Group):
    """A group that imports a subcommand only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports and returns one subcommand; None when there is none of that name."""
        row = COMMANDS.get(cmd_name)
        if row is None:
            return None
        module, _, attribute = row[0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the table without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, row[1]) for name, row in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="orch", prog_name="orch")
def root() -> None:
    """Run containers on SSH hosts through the Kubernetes API."""


def main() -> None:
    """Entry point of the console script: turns our errors into messages and exit codes."""
    try:
        root(prog_name="orch")
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"error: {problem}", err=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
