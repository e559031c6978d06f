"""Carries out what the machine says for one pod, and writes what is observed.

One worker per pod uid; `step` is called by the session's runner, never twice at once. A step asks
the machine, carries out its instructions, takes note of the results and asks again; at its end the
status is written if it changed. Failures become `Waiting` in the pod's memory, so that the status
tells them and the machine waits.
"""

import contextlib
import json
from collections.abc import Awaitable, Sequence
from typing import Any, Final, cast

from orchestrator.api import names
from orchestrator.api.types.container import Container
from orchestrator.api.types.pod import Pod
from orchestrator.kit.aio.tasks import all_of
from orchestrator.kit.backoff import Backoff
from orchestrator.kit.errors import (
    ChannelLost,
    EngineError,
    NotFound,
    RemoteError,
    ShimError,
    Unreachable,
)
from orchestrator.kit.ids import Revision
from orchestrator.node import ending, hooks, machine, making
from orchestrator.node.context import HostContext
from orchestrator.node.environment import ConfigMissing
from orchestrator.node.observed import Probes, Seen, Waiting, note_runs
from orchestrator.node.podstate import PodState, Stuck
from orchestrator.node.status import pod_status
from orchestrator.store.objects import StoredObject

_MOST_ROUNDS: Final = 100
_REFUSED_FOR_GOOD: Final = frozenset({"bad_request", "too_large"})
_CONFIG_RETRY_S: Final = 2.0


class PodWorker:
    """See the module.

    Attributes:
        state: of the pod on the host; the session keeps its containers true.
        probe_failures: failed attempts (see agentshim) that the user has not been told of.
        begun: its turn has come (`Pace`).
        written: revisions of the pod that came while a step was under way.
    """

    def __init__(self, context: HostContext, pod: StoredObject) -> None:
        self.state = PodState(context, pod)
        self.probe_failures: list[dict[str, Any]] = []
        self.begun = False
        self.written: tuple[Revision, ...] = ()
        self._own: tuple[Revision, ...] = ()

    # ------------------------------------------------------------ the step

    async def step(self) -> float | None:
        """Does all that can be done now; returns after how many seconds to come again, or None.

        Raises:
            RemoteError: the host was lost under it; the session knows.
            ApiError: the status could not be written.
        """
        state = self.state
        self.written = self._own = ()
        again: float | None = None
        untold = False
        for _ in range(_MOST_ROUNDS):
            pod = self._pod()
            if pod is None:
                return None
            note_runs(state.memory, state.containers.values())
            self._tell_probe_failures()
            todo = machine.decide(self._desired(pod), state.seen(), self._probes(), state.memory)
            waits = [i.delay_s for i in todo if isinstance(i, machine.Wait)]
            again = min(waits) if waits else None
            work = [i for i in todo if not isinstance(i, machine.Wait)]
            if not work:
                break
            if untold:  # the next work may take long, and may be made of what is told now
                await self.report()
                untold = False
                continue
            if await self._carry_out(pod, work):
                return None
            untold = True
        await self.report()
        return again

    @property
    def overtaken(self) -> bool:
        """Whether what came since the last step began has to be looked at.

        The worker's own reports need not, as far as they change nothing that it goes by.
        """
        return any(revision not in self._own for revision in self.written)

    def _pod(self) -> StoredObject | None:
        stored = self.state.context.snapshot.get(self.state.key)
        return stored if stored is not None and stored.uid == self.state.uid else None

    def _probes(self) -> Probes:
        return Probes(self.state.context.probe_states)

    def _desired(self, pod: StoredObject) -> machine.Desired:
        context, meta = self.state.context, pod.doc["metadata"]
        annotations = meta.get("annotations") or {}
        self.state.memory.drained = annotations.get(names.POD_DRAINED) == "true"
        leaving = "deletionTimestamp" in meta
        return machine.Desired(
            pod=cast("Pod", pod.view),
            in_service=leaving and context.in_service(pod.key.namespace, pod.uid),
            drain_s=context.settings.drain_s,
            now_s=context.clock.wall(),
        )

    async def _carry_out(self, pod: StoredObject, work: Sequence[machine.Instruction]) -> bool:
        """Carries out instructions, those of several containers side by side; True at the end."""
        if any(isinstance(i, machine.Finish) for i in work):
            await self.state.flush()
            await ending.finish(self.state)
            return True
        stops = [i for i in work if isinstance(i, machine.Stop)]
        rest = [i for i in work if not isinstance(i, machine.Stop)]
        for group in (stops, rest):
            await all_of(self._one(pod, instruction) for instruction in group)
        return False

    async def _one(self, pod: StoredObject, instruction: machine.Instruction) -> None:
        view, state = cast("Pod", pod.view), self.state
        context = state.context
        match instruction:
            case machine.WriteFiles():
                await self._guarded("", making.write_files(state, view))
            case machine.Create(name, role, attempt):
                await self._guarded(name, making.create(state, view, name, role, attempt))
            case machine.Start(item):
                await self._guarded(item.name, making.start(state, item.info.id, item.name))
            case machine.Restart(item):
                await context.call(context.engine.restart_container(item.info.id, 1))
                await state.look(item.info.id)
            case machine.Remove(item, _):
                await context.call(context.engine.remove_container(item.info.id))
                state.forget(item.info.id)
            case machine.SetProbes(item, container):
                await self._set_probes(view, item, container)
            case machine.PostStart(item, container):
                await ending.post_start(state, item, container)
            case machine.Stop(item, container, grace_s):
                await ending.stop(state, item, container, grace_s)
            case _:
                raise AssertionError(instruction)

    async def _set_probes(self, pod: Pod, item: Seen, container: Container) -> None:
        state, context = self.state, self.state.context
        sandbox = state.sandbox()
        payload = hooks.probes_payload(pod, container, item, sandbox.info.id if sandbox else "")
        state.memory.probes_set |= {item.info.id}
        try:
            answer = await context.call(context.shim.call("probes.set", payload))
        except RemoteError as error:
            if not isinstance(error, ShimError) or error.code not in _REFUSED_FOR_GOOD:
                state.memory.probes_set -= {item.info.id}
                raise
            # it stays unready, and the user is told why
            state.tell("Warning", "Unhealthy", f"probes of {container.name}: {error.message}")
            return
        for event in answer.get("probes", ()):
            context.note_probe(event, answer=True)

    # ------------------------------------------------------------ failures

    async def _guarded(self, name: str, work: Awaitable[None]) -> None:
        """Turns a failure into `Waiting`, with a growing delay; loss of the host passes through."""
        state = self.state
        try:
            await work
            state.memory.waiting.pop(name, None)
        except ConfigMissing as error:
            self._wait(name, "CreateContainerConfigError", str(error), _CONFIG_RETRY_S)
            if name:
                state.tell("Warning", "Failed", f"Error: {error}")
            else:
                state.tell("Warning", "FailedMount", str(error))
        except Stuck as error:
            self._wait(name, error.reason, error.message)
            state.tell("Warning", error.event, error.told)
        except (ChannelLost, Unreachable):
            raise
        except (EngineError, ShimError) as error:
            reason = "RunContainerError" if name else "CreateContainerError"
            self._wait(name, reason, error.message)
            state.tell("Warning", "Failed", f"Error: {error.message}")

    def _wait(self, name: str, reason: str, message: str, fixed_s: float = 0.0) -> None:
        context, memory = self.state.context, self.state.memory
        before = memory.waiting.get(name)
        failures = (before.failures if before else 0) + 1
        backoff = Backoff(context.settings.retry_first_s, context.settings.retry_cap_s)
        at = context.clock.wall() + (fixed_s or backoff.delay_s(failures))
        memory.waiting[name] = Waiting(reason, message, at, failures)

    # ------------------------------------------------------------ reporting

    async def report(self) -> None:
        """Writes the status, and the published ports, if they changed; then what there is to tell.

        Raises:
            ApiError: the store takes no writes.
        """
        pod = self._pod()
        if pod is not None:
            body = self._changes(pod)
            if body:
                with contextlib.suppress(NotFound):
                    done = await self.state.context.registry.report(self.state.key, body)
                    if done is not None and self._says_nothing_new(pod, done):
                        self._own += (done.revision,)
        await self.state.flush()

    @staticmethod
    def _says_nothing_new(before: StoredObject, written: StoredObject) -> bool:
        """Whether the machine would decide the same after this report."""
        return machine.reads(cast("Pod", before.view)) == machine.reads(cast("Pod", written.view))

    def _changes(self, pod: StoredObject) -> dict[str, Any]:
        state = self.state
        note_runs(state.memory, state.containers.values())
        current = pod.doc.get("status") or {}
        status = pod_status(
            cast("Pod", pod.view),
            current,
            state.seen(),
            self._probes(),
            state.memory,
            state.context.address,
            state.context.clock.wall(),
        )
        body: dict[str, Any] = {}
        changed = {k: v for k, v in status.items() if current.get(k) != v}
        if changed:
            body["status"] = changed
        ports = {key.upper(): number for key, number in sorted(state.memory.ports.items())}
        text = json.dumps(ports) if ports else None
        annotations = pod.doc["metadata"].get("annotations") or {}
        if text is not None and annotations.get(names.POD_PORTS) != text:
            body["metadata"] = {"annotations": {names.POD_PORTS: text}}
        return body

    def tell_back_off(self, container_id: str) -> None:
        """Tells the user that the engine waits before it starts a container again."""
        item = self.state.containers.get(container_id)
        if item is not None and item.info.state == "restarting":
            words = f"Back-off restarting failed container {item.name} in pod {self.state.key.name}"
            self.state.tell("Warning", "BackOff", words)

    def _tell_probe_failures(self) -> None:
        failures, self.probe_failures = self.probe_failures, []
        for event in failures:
            probe, container = str(event["probe"]), str(event["key"]).partition("/")[2]
            words = f"{probe.capitalize()} probe failed: {event.get('message', '')}"
            self.state.tell("Warning", "Unhealthy", words)
            if event.get("action"):
                end = "will be restarted" if event["action"] == "restart" else "will be stopped"
                words = f"Container {container} failed {probe} probe, {end}"
                self.state.tell("Normal", "Killing", words)
