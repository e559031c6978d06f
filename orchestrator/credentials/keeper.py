"""Keeps a running server's certificate from expiring: looks once a day, renews, shows the new one.

New connections get the new certificate at once; open ones keep theirs. A renewed administrator's
certificate reaches users with the next `orch kubeconfig`.
"""

import asyncio
import ssl
from pathlib import Path

from orchestrator.credentials.ensure import Credentials, ensure_credentials
from orchestrator.kit.clock import Clock


def renew(state_dir: Path, context: ssl.SSLContext, clock: Clock | None = None) -> Credentials:
    """Renews what is worn out and makes `context` show the server certificate that is on disk.

    Raises:
        ConfigError: as `ensure_credentials`.
    """
    credentials = ensure_credentials(state_dir, clock=clock)
    context.load_cert_chain(credentials.server_cert, credentials.server_key)
    return credentials


async def run(
    state_dir: Path,
    context: ssl.SSLContext,
    *,
    clock: Clock | None = None,
    every_s: float = 86_400.0,
) -> None:
    """Renews every day, until it is cancelled."""
    while True:
        await asyncio.sleep(every_s)
        await asyncio.to_thread(renew, state_dir, context, clock)
