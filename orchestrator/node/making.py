"""Makes what a pod needs on its host: files, images, containers.

Source: Docker Engine API 1.41; Kubernetes concepts, "Images".
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

from orchestrator.api import names
from orchestrator.api.types.container import Container
from orchestrator.api.types.pod import Pod
from orchestrator.kit.errors import EngineError
from orchestrator.node.environment import environment
from orchestrator.node.images import credentials, pull_policy
from orchestrator.node.observed import newest
from orchestrator.node.podstate import PodState, Stuck, container_of
from orchestrator.node.ports import PortsExhausted
from orchestrator.node.sandbox import SANDBOX_IMAGE, sandbox_tar
from orchestrator.node.spec import (
    Place,
    Role,
    container_body,
    container_name,
    declared_ports,
    must_not_be_root,
    needs_sandbox,
    sandbox_body,
    user_of,
)
from orchestrator.node.volumes import mounts, scratch_mount, scratch_tar, scratch_volumes, trees
from orchestrator.remote.docker.references import registry_of

_PORT_TRIES: Final = 5
_PORT_TAKEN: Final = ("port is already allocated", "address already in use")
_PULLING: Final = frozenset({"ErrImagePull", "ImagePullBackOff"})

Body = Callable[[Place], dict[str, Any]]


async def write_files(state: PodState, pod: Pod) -> None:
    """Writes the pod's volumes.

    Raises:
        ConfigMissing: a ConfigMap or Secret is not there.
        RemoteError: the shim refuses or is gone.
    """
    context = state.context
    for tree in trees(pod, state.sources()):
        operation = "files.make_dir" if tree.empty_dir else "files.write_tree"
        await context.call(context.shim.call(operation, tree.payload()))
    if scratch_volumes(pod) and not state.containers:
        await _make_volumes(state, pod)
    state.memory.files_written = True


async def _make_volumes(state: PodState, pod: Pod) -> None:
    """Makes the pod's named volumes, writable for whoever its containers run as.

    The engine gives a new volume to root; only an archive unpacked over it can change that, and
    for that a container must hold it: one that is never started.
    """
    context, engine = state.context, state.context.engine
    name = f"orch_volumes_{state.uid}"
    body = {
        "Image": SANDBOX_IMAGE,
        "Labels": {names.CONTAINER_CLUSTER: context.cluster},
        "HostConfig": {
            "NetworkMode": "none",
            "Mounts": [
                scratch_mount(context.cluster, state.uid, volume, f"/{volume}")
                for volume in scratch_volumes(pod)
            ],
        },
    }
    made = await _create_with_image(state, pod, None, name, body)
    try:
        await context.call(engine.put_archive(made, "/", scratch_tar(pod)))
    finally:
        await context.call(engine.remove_container(made))


async def create(state: PodState, pod: Pod, name: str, role: Role, attempt: int) -> None:
    """Creates and starts a container, with the image that it needs.

    Raises:
        ConfigMissing: a ConfigMap or Secret is not there.
        Stuck: the image cannot be had, or no port is free.
        RemoteError: the engine refuses or is gone.
    """
    if role == "sandbox":
        await _make(state, pod, name, attempt, lambda place: sandbox_body(pod, place), None)
        return
    container: Container = container_of(pod, name)
    values = environment(pod, container, state.sources())
    made, binds = mounts(pod, container, state.context.roots)

    def body(place: Place) -> dict[str, Any]:
        filled = Place(
            cluster=place.cluster,
            attempt=place.attempt,
            environment=values,
            mounts=tuple(made),
            binds=tuple(binds),
            ports=place.ports,
            sandbox_id=place.sandbox_id,
            target_id=_target_id(state, container) if role == "ephemeral" else "",
        )
        return container_body(pod, container, role, filled)

    if pull_policy(container) == "Always" and name not in state.memory.pulled:
        await _pull(state, pod, container)
    if must_not_be_root(pod, container):
        await _check_user(state, pod, container)
    await _make(state, pod, name, attempt, body, container, ephemeral=role == "ephemeral")


def _target_id(state: PodState, container: Container) -> str:
    """The container whose processes an ephemeral one is to see.

    Raises:
        Stuck: it does not run now.
    """
    target = container.target_container_name
    if not target:
        return ""
    item = newest(state.containers.values()).get(target)
    if item is None or not item.running:
        raise Stuck("CreateContainerError", f"container {target!r} is not running")
    return item.info.id


async def _check_user(state: PodState, pod: Pod, container: Container) -> None:
    """Keeps a container that may not run as root from doing so.

    Source: Kubernetes API, core/v1 SecurityContext.runAsNonRoot.
    """
    user = user_of(pod, container)
    if not user:
        engine, call = state.context.engine, state.context.call
        image = await call(engine.image(container.image))
        if image is None:
            await _pull(state, pod, container)
            image = await call(engine.image(container.image))
        user = image.user if image is not None else ""
    name = user.partition(":")[0]
    if name in {"", "0", "root"}:
        words = "container has runAsNonRoot and image will run as root"
    elif not name.isdigit():
        words = (
            f"container has runAsNonRoot and image has non-numeric user ({name}), "
            "cannot verify user is non-root"
        )
    else:
        return
    raise Stuck("CreateContainerConfigError", words, told=f"Error: {words}")


async def start(state: PodState, container_id: str, name: str) -> None:
    """Starts a container that exists."""
    context = state.context
    async with context.engine_slots:
        try:
            state.starting[container_id] = []
            await context.call(context.engine.start_container(container_id))
        finally:
            await state.look_at_start(container_id)
    state.tell("Normal", "Started", f"Started container {name}")


async def _make(
    state: PodState,
    pod: Pod,
    name: str,
    attempt: int,
    body: Body,
    container: Container | None,
    *,
    ephemeral: bool = False,
) -> None:
    """Creates and starts, with ports of its own; a port that is taken is replaced."""
    context, memory = state.context, state.memory
    sandbox = state.sandbox()
    joins = needs_sandbox(pod) and container is not None
    if ephemeral and not pod.spec.host_network and not joins:
        sandbox = newest(state.containers.values()).get(pod.spec.containers[0].name)
        joins = True
    for _ in range(_PORT_TRIES):
        ports: dict[str, int] = {}
        if not joins and not ephemeral:
            if not memory.ports:
                memory.ports = _allocate(state, pod)
            ports = memory.ports
        place = Place(
            cluster=context.cluster,
            attempt=attempt,
            ports=ports,
            sandbox_id=sandbox.info.id if joins and sandbox else "",
        )
        wanted = container_name(pod, name, attempt)
        made = await _create_with_image(state, pod, container, wanted, body(place))
        if container is not None:
            state.tell("Normal", "Created", f"Created container {name}")
        try:
            state.starting[made] = []
            async with context.engine_slots:
                await context.call(context.engine.start_container(made))
            break
        except EngineError as error:
            if not any(words in error.message for words in _PORT_TAKEN) or not _may_move(pod):
                await state.look_at_start(made)
                raise
            await context.call(context.engine.remove_container(made))
            state.starting.pop(made, None)
            context.ports.refuse(state.uid, ports.values())
            memory.ports = {}
    else:
        raise Stuck("RunContainerError", "no free host port could be published")
    if container is not None:
        state.tell("Normal", "Started", f"Started container {name}")
    await state.look_at_start(made)


def _allocate(state: PodState, pod: Pod) -> dict[str, int]:
    try:
        return state.context.ports.allocate(state.uid, declared_ports(pod))
    except PortsExhausted as error:
        raise Stuck("RunContainerError", str(error)) from error


def _may_move(pod: Pod) -> bool:
    """Whether another host port would do for some port of the pod."""
    return 0 in declared_ports(pod).values()


async def _create_with_image(
    state: PodState, pod: Pod, container: Container | None, name: str, body: dict[str, Any]
) -> str:
    context = state.context
    try:
        return await _create(state, name, body)
    except EngineError as error:
        if error.status == 409:  # ours of an earlier try: its answer was lost
            await context.call(context.engine.remove_container(name))
        elif error.status != 404 or "image" not in error.message.lower():
            raise
        elif container is None:
            await _import_sandbox(state)
        else:
            await _pull(state, pod, container)
    return await _create(state, name, body)


async def _import_sandbox(state: PodState) -> None:
    """Makes the sandbox's image; once, when several pods need it at the same moment."""
    context = state.context
    async with context.image_lock:
        if await context.call(context.engine.image(SANDBOX_IMAGE)) is None:
            tar = sandbox_tar(context.architecture)
            await context.call(context.engine.import_image(tar, SANDBOX_IMAGE, ["/pause"]))


async def _create(state: PodState, name: str, body: dict[str, Any]) -> str:
    context = state.context
    async with context.engine_slots:
        return cast("str", await context.call(context.engine.create_container(name, body)))


async def _pull(state: PodState, pod: Pod, container: Container) -> None:
    context, image = state.context, container.image
    if pull_policy(container) == "Never":
        message = f'Container image "{image}" is not present with pull policy of Never'
        raise Stuck("ErrImageNeverPull", message, "ErrImageNeverPull")
    before = state.memory.waiting.get(container.name)
    state.tell("Normal", "Pulling", f'Pulling image "{image}"')
    await state.flush()
    try:
        found = [
            secret
            for reference in pod.spec.image_pull_secrets
            if (secret := context.secret(state.key.namespace, reference.name)) is not None
        ]
        auth = credentials(registry_of(image), found)
        async with asyncio.timeout(context.settings.pull_s):
            await context.engine.pull(image, auth)
    except (EngineError, TimeoutError) as error:
        words = getattr(error, "message", "") or "no end of the pull within its deadline"
        message = f'Failed to pull image "{image}": {words}'
        state.tell("Warning", "Failed", message)
        if before is not None and before.reason in _PULLING:
            told = f'Back-off pulling image "{image}"'
            raise Stuck("ImagePullBackOff", f"{told}: {words}", "BackOff", told) from error
        raise Stuck("ErrImagePull", message, told="Error: ErrImagePull") from error
    state.memory.pulled |= {container.name}
    state.tell("Normal", "Pulled", f'Successfully pulled image "{image}"')
