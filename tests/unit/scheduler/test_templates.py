"""What is read of a pod, from the document as it is stored."""

import msgspec

from orchestrator.api.labels import Requirement, Selector
from orchestrator.api.types.pod import Toleration
from orchestrator.kit.ids import ObjectKey, Revision
from orchestrator.scheduler.templates import Templates, template
from orchestrator.scheduler.terms import Matcher, Spread, Term
from orchestrator.store.objects import StoredObject

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
BY_NAME = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}
WEB = {"matchLabels": {"app": "web"}}
IS_WEB = Selector((Requirement("app", "=", frozenset({"web"})),))


def pod(name="p", meta=None, **spec) -> StoredObject:
    container = {"name": "c", "image": "web:1", "resources": {"requests": {"cpu": "250m"}}}
    document = {
        "metadata": {"name": name, "namespace": "a", "uid": name, **(meta or {})},
        "spec": {"containers": [container], **spec},
        "status": {},
    }
    key = ObjectKey("pods", "a", name)
    return StoredObject(key, Revision(1), msgspec.json.encode(document))


def test_a_plain_pod():
    found = template(pod(schedulerName="mine", priority=7, nodeSelector={"disk": "ssd"}))
    assert found.requests == (("cpu", 250),)
    assert found.usual == (250, 200 << 20)
    assert (found.scheduler, found.priority, found.selector) == ("mine", 7, {"disk": "ssd"})
    assert (found.images, found.preempts, found.required) == (("web:1",), True, None)


def test_node_affinity_and_tolerations():
    affinity = {
        REQUIRED: {"nodeSelectorTerms": [BY_NAME]},
        PREFERRED: [{"weight": 5, "preference": BY_NAME}],
    }
    toleration = {"key": "a", "operator": "Exists", "effect": "NoSchedule"}
    found = template(
        pod(
            affinity={"nodeAffinity": affinity},
            tolerations=[toleration],
            preemptionPolicy="Never",
        )
    )
    assert list(found.required or ()) == [BY_NAME]
    assert list(found.preferred) == [(5, BY_NAME)]
    assert found.tolerations == (Toleration("a", "Exists", "", "NoSchedule"),)
    assert found.preempts is False


def test_affinity_to_pods():
    term = {"topologyKey": "zone", "labelSelector": WEB, "matchLabelKeys": ["rev"]}
    far = {"topologyKey": "zone", "labelSelector": WEB, "namespaces": ["b"]}
    every = {"topologyKey": "zone", "labelSelector": {}, "namespaceSelector": {}}
    found = template(
        pod(
            meta={"labels": {"rev": "1"}},
            affinity={
                "podAffinity": {REQUIRED: [term]},
                "podAntiAffinity": {
                    REQUIRED: [far],
                    PREFERRED: [{"weight": 9, "podAffinityTerm": every}],
                },
            },
        )
    )
    narrowed = Selector((*IS_WEB.requirements, Requirement("rev", "in", frozenset({"1"}))))
    assert found.attracts == (Term("zone", Matcher(narrowed, frozenset({"a"}))),)
    assert found.repels == (Term("zone", Matcher(IS_WEB, frozenset({"b"}))),)
    assert found.wishes == (Term("zone", Matcher(Selector(), frozenset(), Selector()), -9),)


def test_spread():
    usual = {"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    hard = {
        "maxSkew": 1, "topologyKey": "host", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": WEB, "minDomains": 3, "nodeAffinityPolicy": "Ignore",
        "nodeTaintsPolicy": "Honor",
    }  # fmt: skip
    found = template(pod(topologySpreadConstraints=[usual, hard]))
    here = frozenset({"a"})
    assert found.spread == (
        Spread("zone", Matcher(None, here, leaving=False), 2, hard=False),
        Spread("host", Matcher(IS_WEB, here, leaving=False), 1, True, 3, False, True),
    )


def test_pods_that_agree_share_a_template_and_others_do_not():
    templates = Templates()
    one, same = templates.of(pod("one")), templates.of(pod("two"))
    assert one is same
    term = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [BY_NAME]}}}
    others = [
        pod(meta={"labels": {"a": "b"}}),
        pod(affinity=term),
        pod(priority=1),
        pod(nodeSelector={"a": "b"}),
        pod(tolerations=[{"operator": "Exists"}]),
        pod(overhead={"cpu": "1"}),
        pod(preemptionPolicy="Never"),
        pod(schedulerName="x"),
    ]
    assert len({id(templates.of(other)) for other in others} | {id(one)}) == len(others) + 1
    assert all(templates.of(other) is templates.of(other) for other in others)
    templates.keep({one})
    assert len(templates) == 1
    assert templates.of(pod("three")) is one


def test_how_pods_are_spelled_makes_no_difference():
    templates = Templates()
    container = {"name": "c", "image": "web"}
    spelled = [
        pod(meta={"labels": {"a": "1", "b": "2"}}, containers=[container]),
        pod(meta={"labels": {"b": "2", "a": "1"}}, containers=[container]),
        pod(meta={"labels": {"a": "1", "b": "2"}}, containers=[{**container, "env": []}]),
        pod(meta={"labels": {"a": "1", "b": "2"}}, containers=[container], nodeName="n"),
    ]
    assert len({id(templates.of(one)) for one in spelled}) == 1
    other = pod(meta={"labels": {"a": "1", "b": "2"}}, containers=[{**container, "image": "db"}])
    assert templates.of(other) is not templates.of(spelled[0])
