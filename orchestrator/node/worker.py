"""Carries out what the machine says for one pod, and writes what is observed.

One worker per pod uid; `step` is called by the session's runner, never twice at once. A step asks
the machine, carries out its instructions, takes note of the results and asks again; at its end the
status is written if it changed. Failures become `Waiting` in the pod's memory, so that the status
tells them and the machine waits.
"""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from typing import Any, Final, cast

import structlog

from orchestrator.api import names
from orchestrator.api.types.container import Container
from orchestrator.api.types.pod import Pod
from orchestrator.kit.aio.tasks import all_of
from orchestrator.kit.backoff import Backoff
from orchestrator.kit.errors import (
    ApiError,
    ChannelLost,
    EngineError,
    ExecFailed,
    NotFound,
    ShimError,
    Unreachable,
)
from orchestrator.kit.ids import Uid
from orchestrator.node import hooks, machine
from orchestrator.node.context import HostContext
from orchestrator.node.environment import ConfigMissing, Sources, environment
from orchestrator.node.images import credentials, pull_policy
from orchestrator.node.observed import (
    Memory,
    Probes,
    Seen,
    Waiting,
    adopt,
    newest,
    note_runs,
    same_run,
    seen,
)
from orchestrator.node.sandbox import SANDBOX_IMAGE, sandbox_tar
from orchestrator.node.spec import (
    SANDBOX,
    Place,
    container_body,
    container_name,
    declared_ports,
    needs_sandbox,
    sandbox_body,
)
from orchestrator.node.status import pod_status
from orchestrator.node.volumes import mounts, pod_folder, trees
from orchestrator.registry.options import DeleteOptions, Patch
from orchestrator.remote.docker.references import registry_of
from orchestrator.remote.seams import ContainerInfo
from orchestrator.store.objects import StoredObject

_log: Final = structlog.get_logger("node")
COMPONENT: Final = "kubelet"
_MOST_ROUNDS: Final = 50
_PORT_TRIES: Final = 5


class PodWorker:
    """See the module.

    Attributes:
        key: of the pod.
        containers: what is on the host, by container id; the session keeps it true.
        probe_failures: failed attempts (see agentshim) that the user has not been told of.
        memory: see `observed`.
    """

    def __init__(self, context: HostContext, pod: StoredObject) -> None:
        self.key = pod.key
        self.uid = pod.uid
        self.containers: dict[str, Seen] = {}
        self.memory: Memory = adopt(cast("Pod", pod.view))
        self._context = context
        self.probe_failures: list[dict[str, Any]] = []
        self._looks = 0
        self._looked: dict[str, int] = {}

    def attach(self, context: HostContext, containers: Sequence[ContainerInfo]) -> None:
        """Begins anew on a connection, with what is on the host.

        What the shim was told counts no more: it may be another one, on a host that was booted.
        """
        known = bool(self.containers)
        self._context = context
        self.containers = {info.id: seen(info) for info in containers}
        self.memory.probes_set.clear()
        self.memory.files_written = False
        self.memory.ports = adopted_ports(self._seen()) or self.memory.ports
        if self.memory.ports:
            context.ports.adopt(self.uid, self.memory.ports.values())
        if not known:  # the server was started again: hooks of what runs already have been run
            self.memory.hooks_done |= {
                f"{c.info.id}@{c.info.started_at}"
                for c in self.containers.values()
                if c.running and same_run(self.memory.runs.get(c.name), c.info)
            }

    def context(self) -> HostContext:
        """The connection that the worker works on."""
        return self._context

    # ------------------------------------------------------------ the step

    async def step(self) -> float | None:
        """Does all that can be done now; returns after how many seconds to come again, or None.

        Raises:
            RemoteError: the host was lost under it; the session knows.
            ApiError: the status could not be written.
        """
        again: float | None = None
        for _ in range(_MOST_ROUNDS):
            pod = self._pod()
            if pod is None:
                return None
            note_runs(self.memory, self.containers.values())
            await self._tell_probe_failures()
            todo = machine.decide(self._desired(pod), self._seen(), self._probes(), self.memory)
            waits = [i.delay_s for i in todo if isinstance(i, machine.Wait)]
            again = min(waits) if waits else None
            work = [i for i in todo if not isinstance(i, machine.Wait)]
            if not work:
                break
            if await self._carry_out(pod, work):
                return None
            await self.report()
        await self.report()
        return again

    def _pod(self) -> StoredObject | None:
        stored = self._context.snapshot.get(self.key)
        if stored is None or stored.uid != self.uid:
            return None
        return stored

    def _seen(self) -> list[Seen]:
        return sorted(self.containers.values(), key=lambda c: (c.name, c.attempt))

    def _probes(self) -> Probes:
        return Probes(self._context.probe_states)

    def _desired(self, pod: StoredObject) -> machine.Desired:
        meta = pod.doc["metadata"]
        annotations = meta.get("annotations") or {}
        self.memory.drained = annotations.get(names.POD_DRAINED) == "true"
        leaving = "deletionTimestamp" in meta
        return machine.Desired(
            pod=cast("Pod", pod.view),
            in_service=leaving and self._context.in_service(self.key.namespace, self.uid),
            drain_s=self._context.settings.drain_s,
            now_s=self._context.clock.wall(),
        )

    async def _carry_out(self, pod: StoredObject, work: Sequence[machine.Instruction]) -> bool:
        """Carries out instructions, those of several containers side by side; True at the end."""
        if any(isinstance(i, machine.Finish) for i in work):
            await self._finish()
            return True
        ordered = [i for i in work if isinstance(i, machine.Stop)]
        rest = [i for i in work if not isinstance(i, machine.Stop)]
        for group in (ordered, rest):
            await all_of(self._one(pod, instruction) for instruction in group)
        return False

    async def _one(self, pod: StoredObject, instruction: machine.Instruction) -> None:
        view = cast("Pod", pod.view)
        match instruction:
            case machine.WriteFiles():
                await self._guarded("", self._write_files(view))
            case machine.Create(name, role, attempt):
                await self._guarded(name, self._create(view, name, role, attempt))
            case machine.Start(item):
                await self._guarded(item.name, self._start(item))
            case machine.Restart(item):
                await self._context.call(self._context.engine.restart_container(item.info.id, 1))
                await self.look(item.info.id)
            case machine.Remove(item, _):
                await self._remove(item)
            case machine.SetProbes(item, container):
                await self._set_probes(view, item, container)
            case machine.PostStart(item, container):
                await self._post_start(item, container)
            case machine.Stop(item, container, grace_s):
                await self._stop(item, container, grace_s)
            case _:
                raise AssertionError(instruction)

    async def _guarded(self, name: str, work: Any) -> None:
        """Turns a failure into `Waiting`, with a growing delay; loss of the host passes through."""
        try:
            await work
            self.memory.waiting.pop(name, None)
        except ConfigMissing as error:
            self._wait(name, "CreateContainerConfigError", str(error), 2.0)
            await self._record("Warning", "FailedMount" if not name else "Failed", str(error))
        except _Stuck as error:
            self._wait(name, error.reason, error.message)
            await self._record("Warning", error.event, error.message)
        except (ChannelLost, Unreachable):
            raise
        except (EngineError, ShimError) as error:
            reason = "RunContainerError" if name else "CreateContainerError"
            self._wait(name, reason, error.message)
            await self._record("Warning", "Failed", f"Error: {error.message}")

    def _wait(self, name: str, reason: str, message: str, fixed_s: float = 0.0) -> None:
        before = self.memory.waiting.get(name)
        failures = (before.failures if before else 0) + 1
        settings = self._context.settings
        backoff = Backoff(settings.retry_first_s, settings.retry_cap_s)
        delay_s = fixed_s or backoff.delay_s(failures)
        at = self._context.clock.wall() + delay_s
        self.memory.waiting[name] = Waiting(reason, message, at, failures)

    # ------------------------------------------------------------ instructions

    async def _write_files(self, pod: Pod) -> None:
        for tree in trees(pod, self._sources(pod)):
            operation = "files.make_dir" if tree.empty_dir else "files.write_tree"
            await self._context.call(self._context.shim.call(operation, tree.payload()))
        self.memory.files_written = True

    async def refresh_files(self) -> None:
        """Writes the volumes again, because a ConfigMap or Secret changed; readers see it now."""
        pod = self._pod()
        if pod is None or not self.memory.files_written:
            return
        with contextlib.suppress(ConfigMissing):
            await self._write_files(cast("Pod", pod.view))

    async def _create(self, pod: Pod, name: str, role: str, attempt: int) -> None:
        if role == "sandbox":
            await self._make(pod, name, attempt, lambda place: sandbox_body(pod, place), None)
            return
        container = next(
            c for c in (*pod.spec.init_containers, *pod.spec.containers) if c.name == name
        )
        values = environment(pod, container, self._sources(pod))
        made, binds = mounts(pod, container, self._context.files_root)

        def body(place: Place) -> dict[str, Any]:
            filled = Place(
                cluster=place.cluster,
                attempt=place.attempt,
                environment=values,
                mounts=tuple(made),
                binds=tuple(binds),
                ports=place.ports,
                sandbox_id=place.sandbox_id,
            )
            kind = "init" if role == "init" else "app"
            return container_body(pod, container, cast("Any", kind), filled)

        if pull_policy(container) == "Always" and name not in self.memory.pulled:
            await self._pull(pod, container)
        await self._make(pod, name, attempt, body, container)

    async def _make(
        self, pod: Pod, name: str, attempt: int, body: Any, container: Container | None
    ) -> None:
        """Creates and starts, with ports of its own; a port that is taken is replaced."""
        context, engine = self._context, self._context.engine
        sandbox = newest(self.containers.values()).get(SANDBOX)
        joins = needs_sandbox(pod) and container is not None
        for _ in range(_PORT_TRIES):
            ports: dict[str, int] = {}
            if not joins:
                if not self.memory.ports:
                    wanted = declared_ports(pod)
                    self.memory.ports = context.ports.allocate(self.uid, wanted)
                ports = self.memory.ports
            place = Place(
                cluster=context.cluster,
                attempt=attempt,
                ports=ports,
                sandbox_id=sandbox.info.id if joins and sandbox else "",
            )
            async with context.engine_slots:
                made = await self._create_with_image(
                    pod, container, container_name(pod, name, attempt), body(place)
                )
                if container is not None:
                    words = f"Created container {name}"
                    await self._record("Normal", "Created", words)
                try:
                    await context.call(engine.start_container(made))
                    break
                except EngineError as error:
                    if not ports or "port is already allocated" not in error.message:
                        await self.look(made)
                        raise
                    await context.call(engine.remove_container(made))
                    context.ports.refuse(self.uid, ports.values())
                    self.memory.ports = {}
        else:
            raise _Stuck("RunContainerError", "no free host port could be published", "Failed")
        if container is not None:
            await self._record("Normal", "Started", f"Started container {name}")
        await self.look(made)

    async def _create_with_image(
        self, pod: Pod, container: Container | None, name: str, body: dict[str, Any]
    ) -> str:
        engine = self._context.engine
        try:
            return await self._context.call(engine.create_container(name, body))
        except EngineError as error:
            if error.status == 409:  # ours of an earlier try: its answer was lost
                await self._context.call(engine.remove_container(name))
            elif error.status != 404 or "image" not in error.message.lower():
                raise
            elif container is None:
                architecture = self._context.architecture
                await self._context.call(
                    engine.import_image(sandbox_tar(architecture), SANDBOX_IMAGE, ["/pause"])
                )
            else:
                await self._pull(pod, container)
        return await self._context.call(engine.create_container(name, body))

    async def _pull(self, pod: Pod, container: Container) -> None:
        context, image = self._context, container.image
        policy = pull_policy(container)
        if policy == "Never":
            message = f'Container image "{image}" is not present with pull policy of Never'
            raise _Stuck("ErrImageNeverPull", message, "ErrImageNeverPull")
        before = self.memory.waiting.get(container.name)
        await self._record("Normal", "Pulling", f'Pulling image "{image}"')
        try:
            found = [
                secret
                for reference in pod.spec.image_pull_secrets
                if (secret := context.secret(self.key.namespace, reference.name)) is not None
            ]
            auth = credentials(registry_of(image), found)
            async with asyncio.timeout(context.settings.pull_s):
                await context.engine.pull(image, auth)
        except (EngineError, TimeoutError) as error:
            words = getattr(error, "message", "") or "no end of the pull within its deadline"
            message = f'Failed to pull image "{image}": {words}'
            await self._record("Warning", "Failed", message)
            if before is not None and before.reason in {"ErrImagePull", "ImagePullBackOff"}:
                text = f'Back-off pulling image "{image}"'
                raise _Stuck("ImagePullBackOff", f"{text}: {words}", "BackOff") from error
            raise _Stuck("ErrImagePull", message, "Failed") from error
        self.memory.pulled.add(container.name)
        await self._record("Normal", "Pulled", f'Successfully pulled image "{image}"')

    async def _start(self, item: Seen) -> None:
        context = self._context
        async with context.engine_slots:
            try:
                await context.call(context.engine.start_container(item.info.id))
            finally:
                await self.look(item.info.id)
        await self._record("Normal", "Started", f"Started container {item.name}")

    async def _remove(self, item: Seen) -> None:
        await self._context.call(self._context.engine.remove_container(item.info.id))
        self.containers.pop(item.info.id, None)

    async def _set_probes(self, pod: Pod, item: Seen, container: Container) -> None:
        sandbox = newest(self.containers.values()).get(SANDBOX)
        payload = hooks.probes_payload(pod, container, item, sandbox.info.id if sandbox else "")
        answer = await self._context.call(self._context.shim.call("probes.set", payload))
        self.memory.probes_set.add(item.info.id)
        for event in answer.get("probes", ()):
            self._context.note_probe(event)

    async def _post_start(self, item: Seen, container: Container) -> None:
        handler = container.lifecycle.post_start if container.lifecycle else None
        self.memory.hooks_done.add(f"{item.info.id}@{item.info.started_at}")
        problem = await self._hook(item, container, handler, 60.0)
        if problem:
            await self._record("Warning", "FailedPostStartHook", problem)
            await self._context.call(self._context.engine.restart_container(item.info.id, 1))
            await self.look(item.info.id)

    async def _stop(self, item: Seen, container: Container | None, grace_s: int) -> None:
        context, loop = self._context, asyncio.get_running_loop()
        began = loop.time()
        await self._record("Normal", "Killing", f"Stopping container {item.name}")
        if container is not None and container.lifecycle and container.lifecycle.pre_stop:
            hook = container.lifecycle.pre_stop
            problem = await self._hook(item, container, hook, float(grace_s))
            if problem:
                await self._record("Warning", "FailedPreStopHook", problem)
        left = max(0, round(grace_s - (loop.time() - began)))
        async with asyncio.timeout(left + context.settings.call_s):
            await context.engine.stop_container(item.info.id, left)
        self.memory.stopped.add(item.info.id)
        await self.look(item.info.id)

    async def _hook(self, item: Seen, container: Container, handler: Any, limit_s: float) -> str:
        """Runs a hook; returns what went wrong, "" when nothing did."""
        if handler is None:
            return ""
        try:
            async with asyncio.timeout(max(limit_s, 1.0)):
                if handler.sleep is not None:
                    await asyncio.sleep(handler.sleep.seconds)
                    return ""
                if handler.http_get is not None:
                    sandbox = newest(self.containers.values()).get(SANDBOX)
                    return await self._context.http_hook(item, container, handler.http_get, sandbox)
                argv = hooks.hook_command(container, handler)
                if not argv:
                    return ""
                session = await self._context.engine.exec(item.info.id, argv)
                try:
                    output = b"".join([frame.data async for frame in session.output()])
                    status = await session.exit_code()
                finally:
                    await session.close()
        except TimeoutError:
            return f"the hook did not end within {limit_s:.0f} s"
        except (EngineError, ExecFailed) as error:
            return error.message
        words = output[-500:].decode(errors="replace").strip()
        return f"command {argv} ended with status {status}: {words}" if status else ""

    async def _finish(self) -> None:
        context = self._context
        with contextlib.suppress(ShimError):
            await context.call(context.shim.call("files.remove", {"path": pod_folder(self.uid)}))
        context.ports.release(self.uid)
        with contextlib.suppress(NotFound):
            await context.registry.delete(
                self.key, options=DeleteOptions(grace_s=0, uid=Uid(self.uid))
            )

    # ------------------------------------------------------------ observing and reporting

    async def look(self, container_id: str) -> None:
        """Reads one container from the engine; an answer that a later look overtook is dropped."""
        self._looks += 1
        number = self._looks
        info: ContainerInfo | None = None
        try:
            info = await self._context.call(self._context.engine.inspect_container(container_id))
        except EngineError as error:
            if error.status != 404:
                raise
        if self._looked.get(container_id, 0) > number:
            return
        if info is None:
            self.containers.pop(container_id, None)
            self._looked.pop(container_id, None)
            return
        self._looked[container_id] = number
        self.containers[info.id] = seen(info)

    async def report(self) -> None:
        """Writes the status, and the published ports, if they changed."""
        pod = self._pod()
        if pod is None:
            return
        note_runs(self.memory, self.containers.values())
        current = pod.doc.get("status") or {}
        status = pod_status(
            cast("Pod", pod.view),
            current,
            self._seen(),
            self._probes(),
            self.memory,
            self._context.address,
            self._context.clock.wall(),
        )
        body: dict[str, Any] = {}
        changed = {k: v for k, v in status.items() if current.get(k) != v}
        if changed:
            body["status"] = changed
        ports = {key.upper(): number for key, number in sorted(self.memory.ports.items())}
        text = json.dumps(ports) if ports else None
        annotations = pod.doc["metadata"].get("annotations") or {}
        if text is not None and annotations.get(names.POD_PORTS) != text:
            body["metadata"] = {"annotations": {names.POD_PORTS: text}}
        if not body:
            return
        with contextlib.suppress(NotFound):
            await self._context.registry.patch(self.key, Patch("merge", body), subresource="status")

    async def tell_back_off(self, container_id: str) -> None:
        """Tells the user that the engine waits before it starts a container again."""
        item = self.containers.get(container_id)
        if item is not None and item.info.state == "restarting":
            words = f"Back-off restarting failed container {item.name} in pod {self.key.name}"
            await self._record("Warning", "BackOff", words)

    async def _tell_probe_failures(self) -> None:
        failures, self.probe_failures = self.probe_failures, []
        for event in failures:
            probe, container = str(event["probe"]), str(event["key"]).partition("/")[2]
            words = f"{probe.capitalize()} probe failed: {event.get('message', '')}"
            await self._record("Warning", "Unhealthy", words)
            if event.get("action"):
                end = "will be restarted" if event["action"] == "restart" else "will be stopped"
                words = f"Container {container} failed {probe} probe, {end}"
                await self._record("Normal", "Killing", words)

    async def _record(self, kind: Any, reason: str, message: str) -> None:
        with contextlib.suppress(ApiError):
            await self._context.registry.record(
                self.key,
                kind,
                reason,
                message,
                COMPONENT,
                host=self._context.name,
                uid=Uid(self.uid),
            )

    def _sources(self, pod: Pod) -> Sources:
        namespace = pod.metadata.namespace
        return Sources(
            config_map=lambda name: self._context.config_map(namespace, name),
            secret=lambda name: self._context.secret(namespace, name),
            allocatable=self._context.allocatable(),
            host_ip=self._context.address,
        )


class _Stuck(Exception):
    """A container cannot run for a reason that kubelet has a word for."""

    def __init__(self, reason: str, message: str, event: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.event = event


def adopted_ports(containers: Sequence[Seen]) -> dict[str, int]:
    """Published ports that a pod's containers have already."""
    return {key: port for item in containers for key, port in item.info.ports.items()}
