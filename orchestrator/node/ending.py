"""Lifecycle hooks, stops, and the end of a pod on its host.

Source: Kubernetes concepts, "Container Lifecycle Hooks", "Termination of Pods".
"""

import asyncio
import contextlib

from orchestrator.api import names
from orchestrator.api.types.container import Container, LifecycleHandler
from orchestrator.kit.errors import EngineError, ExecFailed, NotFound, ShimError
from orchestrator.kit.ids import Uid
from orchestrator.node import hooks
from orchestrator.node.context import HostContext
from orchestrator.node.observed import Seen
from orchestrator.node.podstate import PodState
from orchestrator.node.spec import SANDBOX
from orchestrator.node.volumes import pod_folder
from orchestrator.registry.options import DeleteOptions

_POST_START_S = 60.0
_WORDS = 500


async def post_start(state: PodState, item: Seen, container: Container) -> None:
    """Runs the postStart hook, once per start; when it fails the container is started anew."""
    handler = container.lifecycle.post_start if container.lifecycle else None
    state.memory.hooks_done |= {f"{item.info.id}@{item.info.started_at}"}
    problem = await _run(state, item, container, handler, _POST_START_S)
    if problem:
        state.tell("Warning", "FailedPostStartHook", problem)
        await state.context.call(state.context.engine.restart_container(item.info.id, 1))
        await state.look(item.info.id)


async def stop(state: PodState, item: Seen, container: Container | None, grace_s: int) -> None:
    """Runs the preStop hook, then TERM, then KILL; both share the grace."""
    context, loop = state.context, asyncio.get_running_loop()
    began_s = loop.time()
    if item.name != SANDBOX:
        state.tell("Normal", "Killing", f"Stopping container {item.name}")
        await state.flush()
    handler = container.lifecycle.pre_stop if container and container.lifecycle else None
    if container is not None and handler is not None:
        problem = await _run(state, item, container, handler, float(grace_s))
        if problem:
            state.tell("Warning", "FailedPreStopHook", problem)
    left_s = max(0, round(grace_s - (loop.time() - began_s)))
    async with asyncio.timeout(left_s + context.settings.call_s):
        await context.engine.stop_container(item.info.id, left_s)
    state.memory.stopped |= {item.info.id}
    await state.look(item.info.id)


async def finish(state: PodState) -> None:
    """Nothing of the pod is left on the host: frees its files and ports, removes the object."""
    context = state.context
    await remove_files(context, state.uid)
    context.ports.release(state.uid)
    with contextlib.suppress(NotFound):
        options = DeleteOptions(grace_s=0, uid=Uid(state.uid))
        await context.registry.delete(state.key, options=options)


async def remove_files(context: HostContext, uid: str) -> None:
    """Removes a pod's files and named volumes; what is gone already is fine."""
    with contextlib.suppress(ShimError):
        await context.call(context.shim.call("files.remove", {"path": pod_folder(uid)}))
    for volume in await context.call(context.engine.volumes({names.CONTAINER_POD_UID: uid})):
        await context.call(context.engine.remove_volume(volume.name))


async def _run(
    state: PodState,
    item: Seen,
    container: Container,
    handler: LifecycleHandler | None,
    limit_s: float,
) -> str:
    """Runs a hook; returns what went wrong, "" when nothing did."""
    if handler is None:
        return ""
    try:
        async with asyncio.timeout(max(limit_s, 1.0)):
            if handler.sleep is not None:
                await asyncio.sleep(handler.sleep.seconds)
                return ""
            if handler.http_get is not None:
                return await state.context.http_hook(
                    item, container, handler.http_get, state.sandbox()
                )
            argv = hooks.hook_command(container, handler)
            return await _exec(state, item, argv) if argv else ""
    except TimeoutError:
        return f"the hook did not end within {limit_s:.0f} s"
    except (EngineError, ExecFailed) as error:
        return error.message


async def _exec(state: PodState, item: Seen, argv: list[str]) -> str:
    session = await state.context.engine.exec(item.info.id, argv)
    try:
        output = b"".join([frame.data async for frame in session.output()])
        status = await session.exit_code()
    finally:
        await session.close()
    words = output[-_WORDS:].decode(errors="replace").strip()
    return f"command {argv} ended with status {status}: {words}" if status else ""
