"""A process that brings a balancer up for one Service, as `orch server` does, and waits."""

import asyncio
import sys
from pathlib import Path

from orchestrator.store.sql import InlineSqlite
from orchestrator.store.store import Store

from .loadbalancer_backends import Backend
from .loadbalancer_world import World


async def main(folder: str, binary: str, port: str, backend: str) -> None:
    """Says "up" when the Service web leads to the backend's port."""
    world = World(await Store.open(InlineSqlite()), Path(folder), binary)
    world.make(port=int(port))
    await world.service("web")
    await world.slice("web", Backend("a", int(backend)))
    await world.step()
    sys.stdout.write("up\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
