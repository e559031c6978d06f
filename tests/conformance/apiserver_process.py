"""A control plane without hosts, in a process of its own: store, registry, API server, real TLS.

Of the controllers only those run that clients of these tests wait for.

    apiserver_process.py STATE_DIR PORT

Prints one line, "listening PORT", when requests are served; stops on SIGTERM.
"""

import asyncio
import random
import signal
import sys
import time
from pathlib import Path

import uvloop

from orchestrator.apiserver.app import build_app
from orchestrator.apiserver.authn import Authenticator
from orchestrator.apiserver.ports import bind
from orchestrator.apiserver.serve import serve
from orchestrator.apiserver.settings import ApiServerSettings
from orchestrator.controllers.accounttoken.controller import accounttoken_controller
from orchestrator.controllers.certificate.controller import certificate_controller
from orchestrator.controllers.clusterrole.controller import clusterrole_controller
from orchestrator.controllers.customresources.controller import customresources_controller
from orchestrator.controllers.resourcequota.controller import resourcequota_controller
from orchestrator.controllers.serviceaccount.controller import serviceaccount_controller
from orchestrator.credentials.ensure import ensure_credentials, root_pair, server_ssl_context
from orchestrator.credentials.signer import sign_client
from orchestrator.credentials.signing import SigningKeys
from orchestrator.credentials.tokens import TokenFile
from orchestrator.kit.aio.logging import configure_logging
from orchestrator.kit.aio.tasks import Tasks
from orchestrator.kit.clock import SystemClock
from orchestrator.kit.errors import Unreachable
from orchestrator.reconcile.executor import Executor
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.usage import NodeUsage, PodUsage, Usage
from orchestrator.registry.registry import Registry
from orchestrator.scheduler.loop import Scheduler
from orchestrator.scheduler.settings import SchedulerSettings
from orchestrator.store.sql import FileSqlite
from orchestrator.store.store import Store


class NoHosts:
    """Every host is out of reach."""

    def streams(self, node_name):
        raise Unreachable("there is no session with this host", node=node_name)


class Measured:
    """Every node and every pod uses the same."""

    def node_usage(self, name):
        return NodeUsage(time.time(), 15.0, Usage(250_000_000, 1 << 30))

    def pod_usage(self, pod):
        containers = [c["name"] for c in pod.doc["spec"]["containers"]]
        used = {name: Usage(5_000_000, 12 << 20) for name in containers}
        return None if pod.key.name == "new" else PodUsage(time.time(), 15.0, used)


async def main(state_dir: Path, port: int) -> None:
    configure_logging("info")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    listener = bind("127.0.0.1", port)
    port = listener.getsockname()[1]
    credentials = ensure_credentials(
        state_dir, cluster="conformance", server_url=f"https://127.0.0.1:{port}"
    )
    (state_dir / "store").mkdir(exist_ok=True)
    store = await Store.open(FileSqlite(state_dir / "store" / "orch.db"))
    clock, rng = SystemClock(), random.Random(1)
    registry = Registry(store, clock, rng)
    await registry.ensure_builtins()
    informers = Informers(store)
    carry_out, root = Executor(registry).carry_out, root_pair(credentials)
    keys = SigningKeys.read(credentials.accounts_key, credentials.accounts_keys)

    def issue(request_pem: bytes, usages: frozenset[str], lifetime_s: int) -> bytes:
        return sign_client(root, request_pem, usages, lifetime_s, clock.wall())

    controllers = [
        customresources_controller(informers, carry_out, clock, random.Random(2)),
        accounttoken_controller(informers, carry_out, rng, root.cert_pem, keys.sign),
        certificate_controller(informers, carry_out, clock, rng, issue),
        clusterrole_controller(informers, carry_out, rng),
        resourcequota_controller(informers, carry_out, clock, rng, registry.quota_used),
        serviceaccount_controller(informers, carry_out, rng),
    ]
    scheduler = Scheduler(registry, informers, clock)  # tells about pods, and places none
    settings = ApiServerSettings(host="127.0.0.1", port=port, bookmark_interval_s=1.0)
    api = build_app(
        registry=registry,
        store=store,
        pod_streams=NoHosts(),
        usage=Measured(),
        explainer=scheduler,
        configuration={"scheduler": SchedulerSettings()},
        authenticator=Authenticator(TokenFile(credentials.tokens)),
        keys=keys,
        settings=settings,
        clock=clock,
        rng=rng,
    )
    with scheduler.following():
        await run(api, settings, stop, controllers, credentials, listener)
    informers.close()
    api.close()
    await store.close()


async def run(api, settings, stop, controllers, credentials, listener) -> None:
    async with Tasks() as tasks:
        for controller in controllers:
            tasks.supervise(controller.name, controller.run)
        await serve(
            api,
            settings,
            stop,
            tls=server_ssl_context(credentials),
            end_streams=api.end_streams,
            listener=listener,
            on_listening=lambda _address, port: print(f"listening {port}", flush=True),
        )
        tasks.stop_supervised()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(Path(sys.argv[1]), int(sys.argv[2])))
