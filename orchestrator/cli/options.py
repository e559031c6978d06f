"""Options that the verbs share, and the session that they open: server, namespace, warnings."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from orchestrator.api.resources import Resource
from orchestrator.cli.client import ApiFailure, Client, NoServer
from orchestrator.cli.kubeconfig import load_access
from orchestrator.cli.served import custom_kinds

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def server_options(command: Decorated) -> Decorated:
    """--kubeconfig, --context, -n."""
    for option in (
        click.option("--kubeconfig", default="", help="Kubeconfig file to use."),
        click.option("--context", default="", help="Context of the kubeconfig to use."),
        click.option(
            "-n", "--namespace", default="", help="Namespace (the context's, else default)."
        ),
    ):
        command = option(command)
    return command


class Session:
    """An open client together with the namespace that applies.

    Attributes:
        client: talks to the API server.
        namespace: from -n, else from the context.
    """

    def __init__(self, kubeconfig: str, context: str, namespace: str) -> None:
        access = load_access(kubeconfig, context)
        self.client = Client(access)
        self.namespace = namespace or access.namespace
        self._served: tuple[Resource, ...] | None = None

    def served(self) -> tuple[Resource, ...]:
        """The kinds that are not built in; asked for once."""
        if self._served is None:
            self._served = custom_kinds(self.client)
        return self._served


@contextmanager
def open_session(kubeconfig: str, context: str, namespace: str) -> Iterator[Session]:
    """A session whose API errors end the command with kubectl's words and exit status 1."""
    session = Session(kubeconfig, context, namespace)
    try:
        yield session
    except ApiFailure as failure:
        click.echo(message(failure), err=True)
        raise SystemExit(1) from failure
    except NoServer as failure:
        raise click.ClickException(str(failure)) from failure
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    finally:
        show_warnings(session.client)


def show_warnings(client: Client) -> None:
    """Prints the server's warnings once each, on standard error."""
    for text in dict.fromkeys(client.warnings):
        click.echo(f"Warning: {text}", err=True)
    client.warnings.clear()


def message(failure: ApiFailure) -> str:
    """A failure in kubectl's words."""
    if failure.reason == "Invalid":
        return str(failure)
    where = f" ({failure.reason})" if failure.reason else ""
    return f"Error from server{where}: {failure}"
