"""A Job and its pods in memory: plans are carried out, pods end as the test says."""

import random

from orchestrator.api.defaults.batch import default_job
from orchestrator.api.patch import merge_patch
from orchestrator.controllers.job.plan import Facts, plan
from orchestrator.kit.clock import rfc3339
from orchestrator.reconcile.intents import Create, Delete, Patch, Record, RequeueAfter
from orchestrator.store.objects import StoredObject
from tests.unit.controllers.objects import NOW_S, stored


class World:
    """See the module."""

    def __init__(self, restart_policy="Never", seed=1, **spec):
        document = {
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"},
            "spec": {
                "template": {
                    "metadata": {"labels": {"job-name": "j"}},
                    "spec": {
                        "restartPolicy": restart_policy, "containers": [{"name": "c", "image": "x"}]
                    },
                },
                **spec,
            },
        }  # fmt: skip
        default_job(document)
        self.job: StoredObject | None = stored("jobs.batch", document)
        self.pods: dict[str, StoredObject] = {}
        self.now_s = NOW_S
        self.rng = random.Random(seed)
        self.events: list[tuple[str, str]] = []
        self.wait_s: float | None = None
        self.made = 0

    # ------------------------------------------------------------ the server

    def settle(self, rounds: int = 20) -> int:
        """Plans until nothing is written; returns how many plans wrote something."""
        for count in range(rounds):
            if not self.step():
                return count
        raise AssertionError("no quiescence")

    def step(self) -> bool:
        """One plan, carried out; whether anything was written."""
        if self.job is None:
            return False
        intents = plan(Facts(self.job, list(self.pods.values())), self.now_s, self.rng)
        waits = [i.delay_s for i in intents if isinstance(i, RequeueAfter)]
        self.wait_s = min(waits) if waits else None
        wrote = [self._carry_out(intent) for intent in intents]
        return any(wrote)

    def _carry_out(self, intent) -> bool:
        match intent:
            case Create():
                self.made += 1
                document = dict(intent.document)
                name = document["metadata"]["name"]
                assert name not in self.pods
                self.pods[name] = stored("pods", {**document, "status": {"phase": "Pending"}})
            case Patch() if intent.key.resource == "jobs.batch":
                assert self.job is not None
                self.job = self._patched(self.job, intent.patch)
            case Patch():
                self._put(self._patched(self.pods[intent.key.name], intent.patch))
            case Delete() if intent.key.resource == "jobs.batch":
                self.job = None
            case Delete():
                self._mark(self.pods[intent.key.name])
            case Record():
                self.events.append((intent.reason, intent.message))
                return False
            case RequeueAfter():
                return False
        return True

    @staticmethod
    def _patched(item: StoredObject, patch) -> StoredObject:
        document = merge_patch.apply(item.thawed(), dict(patch))
        made = stored(item.key.resource, document)
        assert {k: v for k, v in made.doc.items() if k != "metadata"} != {
            k: v for k, v in item.doc.items() if k != "metadata"
        } or made.doc["metadata"].get("finalizers") != item.doc["metadata"].get("finalizers"), (
            f"a patch that changes nothing: {patch}"
        )
        return made

    def _put(self, pod: StoredObject) -> None:
        meta = pod.doc["metadata"]
        gone = "deletionTimestamp" in meta and not meta["deletionGracePeriodSeconds"]
        if gone and not meta.get("finalizers"):
            del self.pods[pod.key.name]
        else:
            self.pods[pod.key.name] = pod

    def _mark(self, pod: StoredObject) -> None:
        document = pod.thawed()
        grace = 0 if document["status"]["phase"] in {"Succeeded", "Failed"} else 30
        document["metadata"]["deletionTimestamp"] = rfc3339(self.now_s + grace)
        document["metadata"]["deletionGracePeriodSeconds"] = grace
        self._put(stored("pods", document))

    # ------------------------------------------------------------ what happens to pods

    def active(self) -> list[str]:
        """Pods that run or are to run."""
        return sorted(
            name
            for name, pod in self.pods.items()
            if pod.doc["status"]["phase"] in {"Pending", "Running"}
            and "deletionTimestamp" not in pod.doc["metadata"]
        )

    def end(self, name: str, code: int = 0, **status) -> None:
        """A pod's container ends with a code."""
        document = self.pods[name].thawed()
        ended = {"exitCode": code, "finishedAt": rfc3339(self.now_s)}
        document["status"] = {
            "phase": "Failed" if code else "Succeeded",
            "containerStatuses": [{"name": "c", "state": {"terminated": ended}}],
            **status,
        }
        self._put(stored("pods", document))

    def finish_leaving(self) -> None:
        """The containers of pods that are being deleted have stopped."""
        for pod in list(self.pods.values()):
            document = pod.thawed()
            if "deletionTimestamp" in document["metadata"]:
                document["metadata"]["deletionGracePeriodSeconds"] = 0
                self._put(stored("pods", document))

    def delete(self, name: str) -> None:
        """A user deletes a pod."""
        self._mark(self.pods[name])

    def change(self, **spec) -> None:
        """A user changes the Job."""
        assert self.job is not None
        self.job = self._patched(self.job, {"spec": spec})

    # ------------------------------------------------------------ what is told

    @property
    def status(self):
        """The Job's status."""
        assert self.job is not None
        return self.job.doc.get("status") or {}

    def condition(self, kind: str) -> str:
        """The reason of a condition that holds; "" when it does not."""
        for found in self.status.get("conditions", ()):
            if found["type"] == kind and found["status"] == "True":
                return found["reason"]
        return ""

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return bool(self.condition("Complete") or self.condition("Failed"))
