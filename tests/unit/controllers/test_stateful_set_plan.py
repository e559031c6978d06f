"""StatefulSets: the order of everything, revisions, and never two pods of an ordinal."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.api.defaults.sets import default_stateful_set
from orchestrator.controllers.statefulset.plan import Facts, plan
from tests.unit.controllers.sets_world import World, document


def of(world, now_s, _rng):
    return plan(Facts(world.item, world.pods, world.revisions), now_s)


def made(*, patient=False, **spec):
    wanted = document("StatefulSet", serviceName="db", **spec)
    default_stateful_set(wanted)
    return World("statefulsets.apps", wanted, of, patient=patient)


def test_one_after_the_other():
    world = made(replicas=3)
    world.settle()
    assert world.story == ["+db-0"]
    world.ready("db-0")
    world.settle()
    assert world.story == ["+db-0", "+db-1"]
    world.run()
    assert world.story == ["+db-0", "+db-1", "+db-2"]
    assert world.status["readyReplicas"] == world.status["currentReplicas"] == 3
    assert world.status["currentRevision"] == world.status["updateRevision"]
    pod = world.objects["db-1"].doc
    assert pod["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] == "db-1"
    assert pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"] == "1"
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("db-1", "db")


def test_all_at_once():
    world = made(replicas=3, podManagementPolicy="Parallel")
    world.settle()
    assert world.story == ["+db-0", "+db-1", "+db-2"]
    world.change(replicas=1)
    world.settle()
    assert world.story[3:] == ["-db-2", "-db-1"]


def test_fewer_from_the_last_one_on():
    world = made(replicas=3, patient=True)
    world.run()
    world.change(replicas=1)
    world.settle()
    assert world.story[3:] == ["-db-2"]
    world.finish_leaving()
    world.settle()
    assert world.story[3:] == ["-db-2", "-db-1"]


def test_an_update_goes_from_the_last_one_to_the_first():
    world = made(replicas=3)
    world.run()
    old = world.status["currentRevision"]
    world.image("x:2")
    world.settle()
    assert world.story[3:] == ["-db-2", "+db-2"]
    assert world.status["currentRevision"] == old
    assert world.status["updatedReplicas"] == 1
    world.run()
    assert world.story[3:] == ["-db-2", "+db-2", "-db-1", "+db-1", "-db-0", "+db-0"]
    assert set(world.images().values()) == {"x:2"}
    assert world.status["currentRevision"] == world.status["updateRevision"] != old
    assert sorted(r.doc["revision"] for r in world.revisions) == [1, 2]


def test_a_revision_that_comes_back_takes_the_newest_number():
    world = made(replicas=1)
    world.run()
    world.image("x:2")
    world.run()
    world.image("x:1")
    world.run()
    assert sorted(r.doc["revision"] for r in world.revisions) == [2, 3]
    (newest,) = [r for r in world.revisions if r.doc["revision"] == 3]
    assert newest.key.name == world.status["currentRevision"]
    template = newest.doc["data"]["spec"]["template"]
    assert template["$patch"] == "replace"
    assert newest.doc["metadata"]["labels"]["app"] == "db"


def test_old_revisions_are_forgotten():
    world = made(replicas=1, revisionHistoryLimit=2)
    world.run()
    for number in range(2, 7):
        world.image(f"x:{number}")
        world.run()
    assert sorted(r.doc["revision"] for r in world.revisions) == [4, 5, 6]


def test_a_partition_holds():
    world = made(replicas=3, updateStrategy={"rollingUpdate": {"partition": 2}})
    world.run()
    world.image("x:2")
    world.run()
    assert world.images() == {"db-0": "x:1", "db-1": "x:1", "db-2": "x:2"}
    world.leave("db-0")
    world.run()
    assert world.images()["db-0"] == "x:1"


def test_on_delete():
    world = made(replicas=2, updateStrategy={"type": "OnDelete"})
    world.run()
    world.image("x:2")
    world.run()
    assert set(world.images().values()) == {"x:1"}
    world.leave("db-0")
    world.run()
    assert world.images() == {"db-0": "x:2", "db-1": "x:1"}


def test_what_failed_is_made_anew():
    world = made(replicas=1)
    world.run()
    world.fail("db-0")
    world.run()
    assert world.story == ["+db-0", "-db-0", "+db-0"]


def test_a_pod_that_leaves_is_replaced_only_when_it_is_gone():
    world = made(replicas=2, patient=True)
    world.run()
    world.leave("db-0")
    assert world.settle() <= 1
    assert "+db-0" not in world.story[1:]
    world.finish_leaving()
    world.settle()
    assert world.story[-1] == "+db-0"


def test_min_ready_seconds():
    world = made(replicas=2, minReadySeconds=10)
    world.settle()
    world.ready("db-0")
    world.settle()
    assert world.story == ["+db-0"]
    assert world.wait_s == 10
    world.now_s += 10
    world.settle()
    assert world.story == ["+db-0", "+db-1"]


def test_ordinals_may_start_elsewhere():
    world = made(replicas=2, ordinals={"start": 5})
    world.run()
    assert sorted(world.images()) == ["db-5", "db-6"]


@settings(max_examples=40)
@given(
    st.sampled_from(["OrderedReady", "Parallel"]),
    st.lists(st.sampled_from(["scale0", "scale1", "scale3", "image", "leave", "ready", "fail",
                              "finish", "step"]), max_size=30),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_laws(policy, story, chance):
    world = made(replicas=2, podManagementPolicy=policy, patient=True)
    images = 1
    for what in story:
        names = sorted(p.key.name for p in world.pods)
        if what.startswith("scale"):
            world.change(replicas=int(what[5:]))
        elif what == "image":
            images += 1
            world.image(f"x:{images}")
        elif what == "finish":
            world.finish_leaving()
        elif names and what == "leave":
            world.leave(chance.choice(names))
        elif names and what == "fail":
            world.fail(chance.choice(names))
        elif names and what == "ready":
            world.ready(chance.choice(names))
        world.step()  # the world refuses a second pod of a name
    world.run(rounds=120)
    replicas = world.item.doc["spec"]["replicas"]
    assert sorted(world.images()) == [f"db-{n}" for n in range(replicas)]
    assert set(world.images().values()) <= {f"x:{images}"}


@pytest.mark.parametrize("replicas", [0, 2])
def test_quiet_when_settled(replicas):
    world = made(replicas=replicas)
    world.run()
    world.now_s += 100
    assert world.settle() == 0
