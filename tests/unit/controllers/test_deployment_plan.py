"""A Deployment's steps: tables for single plans, laws for whole rollouts."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.api.types.apps import Deployment
from orchestrator.controllers.deployment.plan import Facts, plan
from orchestrator.controllers.deployment.revisions import split, template_hash
from orchestrator.controllers.deployment.sizes import bounds_of
from orchestrator.kit.clock import rfc3339
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile.intents import Create, Delete, Intent, Patch, Record, RequeueAfter
from orchestrator.reconcile.snapshot import view_as
from orchestrator.store.objects import StoredObject
from tests.unit.controllers.objects import NOW_S, deployment, merged, pod, replica_set, stored

REVISION = "deployment.kubernetes.io/revision"


class World:
    """A Deployment and its ReplicaSets; carries intents out as the registry would."""

    def __init__(self, item: StoredObject) -> None:
        self.item = item
        self.sets: dict[ObjectKey, StoredObject] = {}
        self.now_s = NOW_S
        self.said: list[str] = []

    def plan(self) -> list[Intent]:
        names = frozenset(key.name for key in self.sets)
        return plan(Facts(self.item, list(self.sets.values()), {}, True, names), self.now_s)

    def carry_out(self, intents: list[Intent]) -> None:
        for intent in intents:
            if isinstance(intent, Create):
                document = dict(intent.document)
                age = {"creationTimestamp": rfc3339(self.now_s)}
                document["metadata"] = {**document["metadata"], **age}
                document["status"] = {"replicas": 0}
                made = stored("replicasets.apps", document)
                self.sets[made.key] = made
            elif isinstance(intent, Patch):
                if intent.key == self.item.key:
                    self.item = merged(self.item, dict(intent.patch))
                else:
                    self.sets[intent.key] = merged(self.sets[intent.key], dict(intent.patch))
            elif isinstance(intent, Delete):
                del self.sets[intent.key]
            elif isinstance(intent, Record):
                self.said.append(intent.message)

    def settle(self) -> None:
        """Plans until there is nothing to do."""
        for _ in range(30):
            intents = [i for i in self.plan() if not isinstance(i, RequeueAfter)]
            if not intents:
                return
            self.carry_out(intents)
        raise AssertionError(f"still planning: {self.plan()}")

    def observe(self, key: ObjectKey, available: int) -> None:
        """The ReplicaSet controller: pods as asked for, so many of them available."""
        one = self.sets[key]
        wanted = one.doc["spec"]["replicas"]
        status: dict[str, Any] = {
            "replicas": wanted,
            "observedGeneration": one.doc["metadata"]["generation"],
            "readyReplicas": min(available, wanted),
            "availableReplicas": min(available, wanted),
        }
        self.sets[key] = merged(one, {"status": status})

    def observe_all(self) -> None:
        for key, one in self.sets.items():
            self.observe(key, one.doc["spec"]["replicas"])

    def roll_out(self) -> None:
        for _ in range(50):
            self.settle()
            self.observe_all()
            if self.is_done():
                self.settle()
                return
        raise AssertionError("the rollout does not end")

    def is_done(self) -> bool:
        status, wanted = self.item.doc["status"], self.item.doc["spec"]["replicas"]
        return (
            all(
                status.get(name, 0) == wanted
                for name in ("replicas", "updatedReplicas", "availableReplicas")
            )
            and status.get("observedGeneration") == self.item.doc["metadata"]["generation"]
        )

    def sizes(self) -> dict[str, int]:
        return {key.name: one.doc["spec"]["replicas"] for key, one in self.sets.items()}

    def condition(self, kind: str) -> dict[str, Any]:
        return next(c for c in self.item.doc["status"]["conditions"] if c["type"] == kind)

    def new_set(self) -> StoredObject:
        new, _ = split(self.item, list(self.sets.values()))
        assert new is not None
        return new

    def use_image(self, image: str) -> None:
        template = {"spec": {"containers": [{"name": "c", "image": image}]}}
        self.item = merged(self.item, {"spec": {"template": template}})


def test_the_first_plan_makes_a_replica_set_with_everything_on_it() -> None:
    world = World(deployment(replicas=3, annotations={"kubernetes.io/change-cause": "first"}))
    intents = world.plan()
    made = next(i for i in intents if isinstance(i, Create)).document
    hashed = made["metadata"]["labels"]["pod-template-hash"]
    assert made["metadata"]["name"] == f"web-{hashed}"
    assert made["spec"]["replicas"] == 3
    assert made["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": hashed}
    assert made["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] == hashed
    assert made["metadata"]["annotations"] == {
        "kubernetes.io/change-cause": "first",
        "deployment.kubernetes.io/desired-replicas": "3",
        "deployment.kubernetes.io/max-replicas": "4",
        REVISION: "1",
    }
    world.carry_out(intents)
    assert world.said == [f"Scaled up replica set web-{hashed} from 0 to 3"]
    assert world.item.doc["metadata"]["annotations"][REVISION] == "1"
    assert world.condition("Progressing")["reason"] == "NewReplicaSetCreated"
    assert world.condition("Available")["status"] == "False"
    assert world.item.doc["status"]["observedGeneration"] == 1


def test_a_rollout_ends_with_the_conditions_that_kubectl_waits_for() -> None:
    world = World(deployment(replicas=3))
    world.roll_out()
    progressing = world.condition("Progressing")
    assert (progressing["status"], progressing["reason"]) == ("True", "NewReplicaSetAvailable")
    name = world.new_set().key.name
    assert progressing["message"] == f'ReplicaSet "{name}" has successfully progressed.'
    assert world.condition("Available")["reason"] == "MinimumReplicasAvailable"


def test_nothing_is_left_to_do_after_a_rollout() -> None:
    world = World(deployment(replicas=3))
    world.roll_out()
    assert world.plan() == []
    world.now_s += 3600
    assert world.plan() == []


def test_undo_takes_the_replica_set_of_the_same_template_and_gives_it_a_new_revision() -> None:
    world = World(deployment(replicas=2))
    world.roll_out()
    first = world.new_set().key
    world.now_s += 60
    world.use_image("web:2")
    world.roll_out()
    world.use_image("web:1")
    world.roll_out()
    assert world.new_set().key == first
    assert len(world.sets) == 2
    annotations = world.sets[first].doc["metadata"]["annotations"]
    assert annotations[REVISION] == "3"
    assert annotations["deployment.kubernetes.io/revision-history"] == "1"
    assert world.item.doc["metadata"]["annotations"][REVISION] == "3"


def test_old_replica_sets_beyond_the_history_limit_go_oldest_first() -> None:
    world = World(deployment(replicas=1, spec={"revisionHistoryLimit": 2}))
    for number in range(6):
        world.use_image(f"web:{number}")
        world.roll_out()
        world.now_s += 60
    revisions = sorted(o.doc["metadata"]["annotations"][REVISION] for o in world.sets.values())
    assert revisions == ["4", "5", "6"]


def test_a_paused_deployment_is_scaled_and_says_so_but_does_not_roll() -> None:
    world = World(deployment(replicas=2))
    world.roll_out()
    world.item = merged(world.item, {"spec": {"paused": True, "replicas": 4}})
    world.use_image("web:2")
    world.settle()
    assert list(world.sizes().values()) == [4]
    assert world.condition("Progressing")["reason"] == "DeploymentPaused"
    world.item = merged(world.item, {"spec": {"paused": None}})
    world.settle()
    assert len(world.sets) == 2
    world.roll_out()
    assert world.condition("Progressing")["reason"] == "NewReplicaSetAvailable"


def test_scaling_in_the_middle_of_a_rollout_is_shared_in_proportion() -> None:
    world = World(deployment(replicas=10))
    world.roll_out()
    old = world.new_set().key
    world.now_s += 1
    world.use_image("web:broken")
    world.settle()
    world.observe(old, 99)
    new = world.new_set().key
    assert world.sizes() == {old.name: 8, new.name: 5}
    world.observe(new, 0)
    world.settle()
    world.item = merged(world.item, {"spec": {"replicas": 20}})
    world.carry_out(world.plan())
    assert world.sizes() == {old.name: 15, new.name: 10}


def test_a_rollout_that_does_not_get_on_is_reported_after_its_deadline_and_recovers() -> None:
    world = World(deployment(replicas=2, spec={"progressDeadlineSeconds": 30}))
    world.settle()
    (wait,) = [i for i in world.plan() if isinstance(i, RequeueAfter)]
    assert 30 <= wait.delay_s <= 32
    world.now_s += wait.delay_s
    world.settle()
    late = world.condition("Progressing")
    assert (late["status"], late["reason"]) == ("False", "ProgressDeadlineExceeded")
    assert late["message"].endswith("has timed out progressing.")
    assert world.plan() == []
    world.roll_out()
    assert world.condition("Progressing")["reason"] == "NewReplicaSetAvailable"


def test_a_name_that_somebody_else_has_is_counted_and_another_one_is_taken() -> None:
    world = World(deployment(replicas=1))
    name = f"web-{template_hash(world.item.doc['spec']['template'], 0)}"
    stranger = replica_set(name, labels={"other": "thing"})
    world.sets[stranger.key] = stranger
    facts = Facts(world.item, [], {}, True, frozenset({name}))
    world.carry_out(plan(facts, NOW_S))
    assert world.item.doc["status"]["collisionCount"] == 1
    made = next(i for i in plan(Facts(world.item, [], {}, True, frozenset({name})), NOW_S)
                if isinstance(i, Create))  # fmt: skip
    assert made.document["metadata"]["name"] != name


def test_failures_of_the_replica_set_show_on_the_deployment() -> None:
    world = World(deployment(replicas=1))
    world.settle()
    key = world.new_set().key
    failure = {
        "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
        "message": "no", "lastTransitionTime": rfc3339(NOW_S),
    }  # fmt: skip
    world.sets[key] = merged(world.sets[key], {"status": {"conditions": [failure]}})
    world.settle()
    assert world.condition("ReplicaFailure")["message"] == "no"
    world.sets[key] = merged(world.sets[key], {"status": {"conditions": None}})
    world.settle()
    kinds = {c["type"] for c in world.item.doc["status"]["conditions"]}
    assert kinds == {"Available", "Progressing"}


def test_replica_sets_are_adopted_by_selector_and_released_when_they_do_not_match() -> None:
    item = deployment()
    orphan = replica_set("stray", labels={"app": "web"})
    leaving = replica_set("leaving", labels={"app": "other"}, owner=item)
    intents = plan(Facts(item, [orphan, leaving], {}), NOW_S)
    changes = {i.key.name: i.patch["metadata"]["ownerReferences"] for i in intents
               if isinstance(i, Patch)}  # fmt: skip
    assert changes["stray"][0]["uid"] == item.uid
    assert changes["leaving"] is None


def test_a_deployment_that_is_being_deleted_starts_nothing() -> None:
    intents = plan(Facts(deployment(deleting=True), [], {}), NOW_S)
    assert not any(isinstance(i, Create) for i in intents)


def test_nothing_is_created_in_a_namespace_that_is_being_deleted() -> None:
    intents = plan(Facts(deployment(), [], {}, accepts=False), NOW_S)
    assert not any(isinstance(i, Create) for i in intents)


def test_recreate_waits_for_the_last_old_pod() -> None:
    item = deployment(spec={"strategy": {"type": "Recreate"}}, image="web:2")
    before = replica_set("web-old", 0, owner=item, labels={"app": "web"})
    still = pod("last", owner=before, deleting=True)
    waiting = plan(Facts(item, [before], {before.uid: [still]}), NOW_S)
    assert not any(isinstance(i, Create) for i in waiting)
    going_on = plan(Facts(item, [before], {before.uid: []}), NOW_S)
    assert any(isinstance(i, Create) for i in going_on)


def test_changed_annotations_and_timing_reach_the_new_replica_set() -> None:
    world = World(deployment(replicas=1))
    world.roll_out()
    note = {
        "kubernetes.io/change-cause": "why",
        "kubectl.kubernetes.io/last-applied-configuration": "x",
    }
    world.item = merged(
        world.item, {"metadata": {"annotations": note}, "spec": {"minReadySeconds": 5}}
    )
    world.settle()
    document = world.new_set().doc
    assert document["metadata"]["annotations"]["kubernetes.io/change-cause"] == "why"
    assert (
        "kubectl.kubernetes.io/last-applied-configuration"
        not in document["metadata"]["annotations"]
    )
    assert document["spec"]["minReadySeconds"] == 5


percent = st.integers(0, 100).map(lambda n: f"{n}%")
amount = st.one_of(st.integers(0, 6), percent)


@settings(max_examples=60, deadline=None)
@given(
    replicas=st.integers(0, 12),
    surge=amount,
    unavailable=amount,
    moves=st.lists(
        st.tuples(
            st.sampled_from(["ready", "break", "image", "scale", "time"]), st.integers(0, 12)
        ),
        max_size=14,
    ),
)
def test_bounds_hold_at_every_step_and_every_rollout_ends(
    replicas: int, surge, unavailable, moves: list[tuple[str, int]]
) -> None:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    world = World(deployment(replicas=replicas, spec={"strategy": strategy}))
    world.roll_out()
    for move, number in moves:
        fewer = False
        new = world.new_set().key if move in {"ready", "break"} and world.sets else None
        if move == "image":
            world.now_s += 1
            world.use_image(f"web:{number % 4}")
        elif move == "scale":
            fewer = number < world.item.doc["spec"]["replicas"]
            world.item = merged(world.item, {"spec": {"replicas": number}})
        elif move == "time":
            world.now_s += number * 60
        elif new is not None:
            world.observe(new, number if move == "ready" else 0)
        _check_step(world, fewer=fewer)
        if move != "image" and move != "scale":
            for key in world.sets:
                if new is None or key != new:
                    world.observe(key, world.sets[key].doc["spec"]["replicas"])
    world.roll_out()
    assert sum(world.sizes().values()) == world.item.doc["spec"]["replicas"]
    assert world.new_set().doc["spec"]["replicas"] == world.item.doc["spec"]["replicas"]
    assert [i for i in world.plan() if not isinstance(i, RequeueAfter)] == []


def _check_step(world: World, *, fewer: bool) -> None:
    """One plan at a time: sizes stay in bounds unless the user has just asked for fewer.

    Then all ReplicaSets shrink in proportion, whatever is available, as Kubernetes has it.
    """
    bounds = bounds_of(view_as(world.item, Deployment).spec)
    for _ in range(30):
        intents = [i for i in world.plan() if not isinstance(i, RequeueAfter)]
        if not intents:
            return
        before = sum(world.sizes().values())
        sure_before = _surely_available(world)
        world.carry_out(intents)
        assert sum(world.sizes().values()) <= max(before, bounds.most)
        assert fewer or _surely_available(world) >= min(sure_before, bounds.least_available)


def _surely_available(world: World) -> int:
    """Available pods that no deletion already asked for can have taken away."""
    return sum(
        min(one.doc["status"].get("availableReplicas", 0), one.doc["spec"]["replicas"])
        for one in world.sets.values()
    )
