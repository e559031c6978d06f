"""A StatefulSet or DaemonSet with pods and hosts in memory: plans are carried out at once."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from orchestrator.api.patch import merge_patch
from orchestrator.kit.clock import rfc3339
from orchestrator.reconcile.history import REVISION_LABEL, REVISIONS
from orchestrator.reconcile.intents import Create, Delete, Patch, Record, RequeueAfter
from orchestrator.store.objects import StoredObject
from tests.unit.controllers.objects import NOW_S, stored

Plan = Callable[[Any, float, random.Random], Sequence[Any]]


class World:
    """See the module.

    Args:
        resource: of the set.
        document: the set, defaults included.
        plan: makes intents of the world.
        patient: pods that are deleted stay until `finish_leaving`.
    """

    def __init__(self, resource, document, plan: Plan, *, patient=False):
        self.resource = resource
        self.item = stored(resource, document)
        self.plan = plan
        self.patient = patient
        self.objects: dict[str, StoredObject] = {}
        self.nodes: list[StoredObject] = []
        self.now_s = NOW_S
        self.rng = random.Random(1)
        self.story: list[str] = []
        self.wait_s: float | None = None

    @property
    def pods(self) -> list[StoredObject]:
        return [o for o in self.objects.values() if o.key.resource == "pods"]

    @property
    def revisions(self) -> list[StoredObject]:
        return [o for o in self.objects.values() if o.key.resource == REVISIONS]

    @property
    def status(self):
        return self.item.doc["status"]

    def settle(self, rounds=60) -> int:
        """Plans until nothing is written; how often something was."""
        for count in range(rounds):
            if not self.step():
                return count
        raise AssertionError(f"no quiescence: {self.story[-10:]}")

    def step(self) -> bool:
        intents = self.plan(self, self.now_s, self.rng)
        waits = [i.delay_s for i in intents if isinstance(i, RequeueAfter)]
        self.wait_s = min(waits, default=None)
        wrote = [self._carry_out(intent) for intent in intents]
        return any(wrote)

    def _carry_out(self, intent) -> bool:
        match intent:
            case Create():
                document = dict(intent.document)
                name = document["metadata"]["name"]
                assert name not in self.objects, f"two of {name}"
                if intent.resource == "pods":
                    self.story.append(f"+{name}")
                    document["status"] = {"phase": "Pending"}
                self.objects[name] = stored(intent.resource, document)
            case Patch() if intent.key.resource == self.resource:
                self.item = self._patched(self.item, intent.patch)
            case Patch():
                name = intent.key.name
                self.objects[name] = self._patched(self.objects[name], intent.patch)
            case Delete() if intent.key.resource == "pods":
                self.story.append(f"-{intent.key.name}")
                self.leave(intent.key.name)
            case Delete():
                del self.objects[intent.key.name]
            case Record() | RequeueAfter():
                return False
        return True

    @staticmethod
    def _patched(item, patch):
        document = merge_patch.apply(item.thawed(), dict(patch))
        assert document != item.doc, f"a patch that changes nothing: {patch}"
        return stored(item.key.resource, document)

    # ------------------------------------------------------------ what happens

    def leave(self, name):
        if not self.patient:
            del self.objects[name]
            return
        document = self.objects[name].thawed()
        document["metadata"]["deletionTimestamp"] = rfc3339(self.now_s)
        self.objects[name] = stored("pods", document)

    def finish_leaving(self):
        for pod in self.pods:
            if "deletionTimestamp" in pod.doc["metadata"]:
                del self.objects[pod.key.name]

    def ready(self, *names, is_ready=True):
        for name in names:
            document = self.objects[name].thawed()
            condition = {"type": "Ready", "status": str(is_ready),
                         "lastTransitionTime": rfc3339(self.now_s)}  # fmt: skip
            document["status"] = {"phase": "Running", "conditions": [condition]}
            self.objects[name] = stored("pods", document)

    def fail(self, name):
        document = self.objects[name].thawed()
        document["status"] = {"phase": "Failed"}
        self.objects[name] = stored("pods", document)

    def change(self, **spec):
        document = merge_patch.apply(self.item.thawed(), {"spec": spec})
        document["metadata"]["generation"] += 1
        self.item = stored(self.resource, document)

    def image(self, image):
        template = self.item.thawed()["spec"]["template"]
        template["spec"]["containers"][0]["image"] = image
        self.change(template=template)

    def run(self, rounds=60):
        """Every pod becomes ready as soon as it is there, until all is quiet."""
        for _ in range(rounds):
            self.step()
            if self.patient:
                self.finish_leaving()
            unready = [p.key.name for p in self.pods if not p.doc["status"].get("conditions")]
            self.ready(*unready)
            if not unready and not self.step():
                return
        raise AssertionError(f"no quiescence: {self.story[-10:]}")

    def images(self):
        return {p.key.name: p.doc["spec"]["containers"][0]["image"] for p in self.pods}

    def of_update(self):
        return sorted(
            p.key.name for p in self.pods
            if p.doc["metadata"]["labels"][REVISION_LABEL] == self.status.get("updateRevision")
        )  # fmt: skip


def document(kind, **spec):
    labels = {"app": "db"}
    return {
        "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "db", "generation": 1},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "c", "image": "x:1"}]},
            },
            **spec,
        },
    }  # fmt: skip
