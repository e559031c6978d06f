"""DaemonSets: which hosts have a pod, and how an update goes over them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.api.defaults.sets import default_daemon_set
from orchestrator.controllers.daemonset.plan import Facts, plan, target_of
from tests.unit.controllers.objects import stored
from tests.unit.controllers.sets_world import World, document


def of(world, now_s, rng):
    return plan(Facts(world.item, world.nodes, world.pods, world.revisions), now_s, rng)


def node(name, taints=(), **labels):
    spec = {"taints": list(taints)} if taints else {}
    return stored(
        "nodes", {"kind": "Node", "metadata": {"name": name, "labels": labels}, "spec": spec}
    )


def made(*nodes, patient=False, pod=None, **spec):
    wanted = document("DaemonSet", **spec)
    wanted["spec"]["template"]["spec"] |= pod or {}
    default_daemon_set(wanted)
    world = World("daemonsets.apps", wanted, of, patient=patient)
    world.nodes = list(nodes)
    return world


def on(world):
    return sorted(target_of(pod) for pod in world.pods)


THREE = (node("a"), node("b"), node("c"))


def test_one_pod_on_every_host():
    world = made(*THREE)
    world.run()
    assert on(world) == ["a", "b", "c"]
    assert world.status["desiredNumberScheduled"] == world.status["numberAvailable"] == 3
    tolerations = world.pods[0].doc["spec"]["tolerations"]
    assert {"key": "node.kubernetes.io/unschedulable", "operator": "Exists",
            "effect": "NoSchedule"} in tolerations  # fmt: skip
    world.nodes.append(node("d"))
    world.run()
    assert on(world) == ["a", "b", "c", "d"]
    del world.nodes[0]
    world.run()
    assert on(world) == ["b", "c", "d"]
    assert world.settle() == 0


def test_hosts_are_chosen():
    dedicated = {"key": "dedicated", "value": "x", "effect": "NoSchedule"}
    leaving = {"key": "gone", "effect": "NoExecute"}
    hosts = (node("a", role="db"), node("b"), node("c", [dedicated], role="db"))
    world = made(*hosts, pod={"nodeSelector": {"role": "db"}})
    world.run()
    assert on(world) == ["a"]
    tolerant = made(*hosts, pod={"tolerations": [{"key": "dedicated", "operator": "Exists"}]})
    tolerant.run()
    assert on(tolerant) == ["a", "b", "c"]
    tolerant.nodes = [node("a", [leaving]), node("b", [dedicated]), node("c")]
    tolerant.run()
    assert on(tolerant) == ["b", "c"]
    term = {"matchExpressions": [{"key": "role", "operator": "DoesNotExist"}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [term]}}}  # fmt: skip
    world = made(*hosts, pod={"affinity": affinity})
    world.run()
    assert on(world) == ["b"]


def test_a_taint_that_comes_later_lets_pods_stay_but_for_no_execute():
    world = made(*THREE)
    world.run()
    world.nodes[0] = node("a", [{"key": "full", "effect": "NoSchedule"}])
    world.run()
    assert on(world) == ["a", "b", "c"]
    assert world.status["numberMisscheduled"] == 1
    assert world.status["desiredNumberScheduled"] == 2


def test_an_update_takes_one_host_at_a_time():
    world = made(*THREE, patient=True)
    world.run()
    before = set(world.objects)
    world.image("x:2")
    world.settle()
    gone = [step for step in world.story if step.startswith("-")]
    assert len(gone) == 1
    assert len([p for p in world.pods if "deletionTimestamp" in p.doc["metadata"]]) == 1
    world.run()
    assert set(world.images().values()) == {"x:2"}
    assert on(world) == ["a", "b", "c"]
    assert not {p.key.name for p in world.pods} & before


def test_an_update_with_surge_makes_the_new_pod_first():
    strategy = {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    world = made(*THREE, updateStrategy=strategy)
    world.run()
    world.image("x:2")
    world.settle()
    assert len(on(world)) == 4
    assert not [step for step in world.story if step.startswith("-")]
    world.run()
    assert on(world) == ["a", "b", "c"]
    assert set(world.images().values()) == {"x:2"}


def test_broken_pods_do_not_block_an_update():
    world = made(*THREE)
    world.settle()
    world.image("x:2")
    world.run()
    assert set(world.images().values()) == {"x:2"}


def test_on_delete():
    world = made(*THREE, updateStrategy={"type": "OnDelete"})
    world.run()
    world.image("x:2")
    world.run()
    assert set(world.images().values()) == {"x:1"}


def test_a_failed_pod_is_replaced_after_a_moment():
    world = made(node("a"))
    world.run()
    (name,) = world.images()
    world.fail(name)
    world.run()
    assert len(world.images()) == 1
    assert name not in world.images()


HAPPENINGS = ("join", "lose", "image", "leave", "fail", "finish", "ready")


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.integers(0, 4)), max_size=25),
)  # fmt: skip
def test_laws(story):
    world = made(*THREE, patient=True)
    images = 1
    for what, which in story:
        names = sorted(p.key.name for p in world.pods)
        name = names[which % len(names)] if names else ""
        here = {n.key.name for n in world.nodes}
        match what:
            case "join" if f"n{which}" not in here:
                world.nodes.append(node(f"n{which}"))
            case "lose" if world.nodes:
                del world.nodes[which % len(world.nodes)]
            case "image":
                images += 1
                world.image(f"x:{images}")
            case "finish":
                world.finish_leaving()
            case "leave" if name:
                world.leave(name)
            case "fail" if name:
                world.fail(name)
            case "ready" if name:
                world.ready(name)
        world.step()
        active = [
            target_of(p) for p in world.pods
            if "deletionTimestamp" not in p.doc["metadata"] and p.doc["status"]["phase"] != "Failed"
        ]  # fmt: skip
        assert len(active) == len(set(active)), "two on a host"
    world.run(rounds=120)
    assert on(world) == sorted(n.key.name for n in world.nodes)
    assert set(world.images().values()) <= {f"x:{images}"}
