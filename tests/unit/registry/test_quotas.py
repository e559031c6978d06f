"""Quotas and limit ranges at the door."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.kit.errors import Forbidden, Invalid, NotFound
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry.book import QuotaBook
from orchestrator.registry.options import DeleteOptions, Patch, WriteOptions
from tests.unit.registry.documents import key, pod_document


async def quota(registry, name="q", scopes=None, **hard):
    hard = {word.replace("_", "."): value for word, value in hard.items()}
    spec = {"hard": hard, **({"scopes": scopes} if scopes else {})}
    await registry.create("resourcequotas", "default", {"metadata": {"name": name}, "spec": spec})


async def limits(registry, **limit):
    document = {"metadata": {"name": "l"}, "spec": {"limits": [{"type": "Container", **limit}]}}
    return await registry.create("limitranges", "default", document)


def pod(name, requests=None, limits=None):
    resources = {"requests": requests or {}, "limits": limits or {}}
    containers = [{"name": "c", "image": "web:1", "resources": resources}]
    return pod_document(name, containers=containers)


def used(registry, name="q"):
    return {k: str(v) for k, v in registry.quota_used(key("resourcequotas", name))[0].items()}


async def test_many_at_once_never_take_more_than_there_is(registry):
    await quota(registry, pods="3", requests_cpu="1")
    made = await asyncio.gather(
        *(registry.create("pods", "default", pod(f"p{n}", {"cpu": "100m"})) for n in range(9)),
        return_exceptions=True,
    )
    refused = [one for one in made if isinstance(one, Exception)]
    assert len(refused) == 6
    assert isinstance(refused[0], Forbidden)
    assert refused[0].message == (
        'pods "p3" is forbidden: exceeded quota: q, requested: pods=1, used: pods=3, '
        "limited: pods=3"
    )
    assert used(registry) == {"pods": "3", "requests.cpu": "300m"}


async def test_what_is_gone_or_has_ended_makes_room(registry):
    await quota(registry, pods="1", **{"count/pods": "2"})
    await registry.create("pods", "default", pod("a"))
    ended = {"status": {"phase": "Succeeded"}}
    await registry.patch(key("pods", "a"), Patch("merge", ended), subresource="status")
    await registry.create("pods", "default", pod("b"))
    with pytest.raises(Forbidden, match="exceeded quota: q, requested: count/pods=1,pods=1"):
        await registry.create("pods", "default", pod("c"))
    for name in ("a", "b"):
        await registry.delete(key("pods", name))
    await registry.create("pods", "default", pod("c"))
    assert used(registry) == {"pods": "1", "count/pods": "1"}


async def test_a_pod_whose_grace_is_over_counts_no_more(registry, clock):
    await quota(registry, pods="1")
    await registry.create("pods", "default", pod("a"))
    await registry.bind(key("pods", "a"), "n")
    await registry.delete(key("pods", "a"), options=DeleteOptions(grace_s=10))
    with pytest.raises(Forbidden):
        await registry.create("pods", "default", pod("b"))
    found, change_s = registry.quota_used(key("resourcequotas", "q"))
    assert (str(found["pods"]), change_s) == ("1", clock.now_s + 10)
    clock.now_s += 10
    await registry.create("pods", "default", pod("b"))
    assert used(registry) == {"pods": "1"}


async def test_writes_that_fail_take_nothing(registry):
    await quota(registry, configmaps="1")
    dry = WriteOptions(dry_run=True)
    document = {"metadata": {"name": "c"}}
    await registry.create("configmaps", "default", document, options=dry)
    task = asyncio.ensure_future(registry.create("configmaps", "default", document))
    await asyncio.sleep(0)
    task.cancel()  # the write is made all the same
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(Forbidden):
        await registry.create("configmaps", "default", {"metadata": {"name": "d"}})
    await registry.delete(key("configmaps", "c"))
    await registry.create("configmaps", "default", {"metadata": {"name": "d"}})


async def test_updates_are_charged_for_what_is_more(registry):
    await quota(registry, **{"services.nodeports": "1"})
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 81}]
    document = {"metadata": {"name": "s"}, "spec": {"ports": ports, "selector": {"a": "b"}}}
    await registry.create("services", "default", document)
    with pytest.raises(Forbidden, match=r"requested: services\.nodeports=2"):
        await registry.patch(key("services", "s"), Patch("merge", {"spec": {"type": "NodePort"}}))
    fewer = {"spec": {"type": "NodePort", "ports": ports[:1]}}
    await registry.patch(key("services", "s"), Patch("merge", fewer))
    again = {"metadata": {"labels": {"x": "y"}}}
    await registry.patch(key("services", "s"), Patch("merge", again))
    assert used(registry) == {"services.nodeports": "1"}


async def test_what_must_be_said(registry):
    await quota(registry, limits_memory="1Gi", requests_cpu="1")
    with pytest.raises(Forbidden) as caught:
        await registry.create("pods", "default", pod("a", {"cpu": "1"}))
    assert caught.value.message == (
        'pods "a" is forbidden: failed quota: q: must specify limits.memory for: c'
    )
    await limits(registry, default={"memory": "512Mi"}, defaultRequest={"cpu": "100m"})
    made = await registry.create("pods", "default", pod("a"))
    (container,) = made.doc["spec"]["containers"]
    assert container["resources"] == {
        "limits": {"memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "512Mi"},
    }  # fmt: skip
    assert made.doc["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: cpu, memory request for container c; memory limit for container c"
    )
    assert made.doc["status"]["qosClass"] == "Burstable"
    assert used(registry) == {"limits.memory": "512Mi", "requests.cpu": "100m"}


async def test_scoped_quotas_count_their_own(registry):
    await quota(registry, "best", ["BestEffort"], pods="1")
    await quota(registry, "other", ["NotBestEffort"], pods="1", cpu="2")
    await registry.create("pods", "default", pod("a"))
    await registry.create("pods", "default", pod("b", {"cpu": "1"}))
    with pytest.raises(Forbidden, match="exceeded quota: best"):
        await registry.create("pods", "default", pod("c"))
    with pytest.raises(Forbidden, match="exceeded quota: other, requested: pods=1, used"):
        await registry.create("pods", "default", pod("c", {"cpu": "1"}))


async def test_a_quota_that_changes_or_goes(registry):
    await quota(registry, configmaps="0")
    with pytest.raises(Forbidden):
        await registry.create("configmaps", "default", {"metadata": {"name": "a"}})
    more = Patch("merge", {"spec": {"hard": {"configmaps": "1"}}})
    await registry.patch(key("resourcequotas", "q"), more)
    await registry.create("configmaps", "default", {"metadata": {"name": "a"}})
    assert used(registry) == {"configmaps": "1"}
    await registry.delete(key("resourcequotas", "q"))
    await registry.create("configmaps", "default", {"metadata": {"name": "b"}})
    with pytest.raises(NotFound):
        used(registry)


@pytest.mark.parametrize(
    ("limit", "asked", "words"),
    [
        ({"min": {"cpu": "200m"}}, ({"cpu": "100m"}, {}),
         "minimum cpu usage per Container is 200m, but request is 100m"),
        ({"max": {"cpu": "1"}, "default": {"cpu": "1"}}, ({"cpu": "2"}, {"cpu": "2"}),
         "maximum cpu usage per Container is 1, but limit is 2"),
        ({"maxLimitRequestRatio": {"cpu": "2"}}, ({"cpu": "1"}, {"cpu": "3"}),
         "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000"),
        ({"maxLimitRequestRatio": {"cpu": "2"}}, ({}, {}),
         "cpu max limit to request ratio per Container is 2, but no request is specified or "
         "request is 0"),
        ({"type": "Pod", "max": {"memory": "1Gi"}}, ({}, {}),
         "maximum memory usage per Pod is 1Gi.  No limit is specified"),
    ],
)  # fmt: skip
async def test_bounds(registry, limit, asked, words):
    await limits(registry, **limit)
    with pytest.raises(Forbidden) as caught:
        await registry.create("pods", "default", pod("a", *asked))
    assert caught.value.message == f'pods "a" is forbidden: {words}'


async def test_several_bounds_are_told_at_once(registry):
    await limits(registry, min={"cpu": "1", "memory": "1Gi"}, defaultRequest={"cpu": "1"})
    with pytest.raises(Forbidden, match=r"forbidden: \[minimum cpu .*, minimum memory "):
        await registry.create("pods", "default", pod("a", {"cpu": "1m", "memory": "1"}))


async def test_limit_ranges_are_completed(registry):
    made = await limits(registry, max={"cpu": "2"}, min={"cpu": "1", "memory": "1Gi"})
    (limit,) = made.doc["spec"]["limits"]
    assert limit["default"] == {"cpu": "2"}
    assert limit["defaultRequest"] == {"cpu": "2", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("resource", "spec", "words"),
    [
        ("resourcequotas", {"hard": {"bogus": "1"}}, "must be a standard resource for quota"),
        ("resourcequotas", {"hard": {"pods": "1.5"}}, "must be an integer"),
        ("resourcequotas", {"hard": {"pods": "-1"}}, "must be greater than or equal to 0"),
        ("resourcequotas", {"hard": {"secrets": "1"}, "scopes": ["BestEffort"]},
         "unsupported scope applied to resource"),
        ("resourcequotas", {"scopes": ["BestEffort", "NotBestEffort"]}, "conflicting scopes"),
        ("resourcequotas", {"scopes": ["Bogus"]}, "unsupported scope"),
        ("resourcequotas", {"scopeSelector": {"matchExpressions": [
            {"scopeName": "PriorityClass", "operator": "In"}]}}, "must be at least one value"),
        ("resourcequotas", {"scopeSelector": {"matchExpressions": [
            {"scopeName": "Terminating", "operator": "DoesNotExist"}]}}, "must be 'Exist' when"),
        ("limitranges", {"limits": [{"type": "Bogus"}]}, "must be a standard limit type"),
        ("limitranges", {"limits": [{"type": "Pod"}, {"type": "Pod"}]}, "Duplicate value"),
        ("limitranges", {"limits": [{"type": "Pod", "default": {"cpu": "1"}}]},
         "may not be specified when `type` is 'Pod'"),
        ("limitranges", {"limits": [{"type": "Container", "max": {"cpu": "1"},
                                     "min": {"cpu": "2"}}]},
         "min value 2 is greater than max value 1"),
        ("limitranges", {"limits": [{"type": "Container", "maxLimitRequestRatio": {"cpu": "0.5"}}]},
         "ratio 500m is less than 1"),
        ("limitranges", {"limits": [{"type": "PersistentVolumeClaim"}]},
         "either minimum or maximum storage value is required"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_them(registry, resource, spec, words):
    with pytest.raises(Invalid, match=words):
        await registry.create(resource, "default", {"metadata": {"name": "x"}, "spec": spec})


async def test_scopes_stay(registry):
    await quota(registry, scopes=["BestEffort"], pods="1")
    with pytest.raises(Invalid, match="field is immutable"):
        await registry.patch(
            key("resourcequotas", "q"), Patch("merge", {"spec": {"scopes": ["Terminating"]}})
        )


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "commit", "fail", "delete", "end"]),
        st.integers(0, 5),
        st.integers(0, 4),
    ),
    max_size=60,
)


@given(_STEPS, st.integers(0, 8))
def test_a_book_never_lets_its_quota_be_exceeded(steps, most):
    """Any order of writes asked for, committed, failed, deleted: what is stored stays in bounds."""
    book = QuotaBook("q", {"hard": {"requests.cpu": str(most)}})
    stored, under_way = {}, {}

    def as_pod(cpu, phase="Running"):
        resources = {"requests": {"cpu": str(cpu)}}
        spec = {"containers": [{"name": "c", "resources": resources}]}
        return {"metadata": {}, "spec": spec, "status": {"phase": phase}, "cpu": cpu}

    for step, number, cpu in steps:
        name = ObjectKey("pods", "default", f"p{number}")
        if step == "ask" and name not in under_way:
            more = book.more(name, as_pod(cpu), 0)
            if book.exceeded(more):
                book.settle(0, stored.get, under_way.__contains__)
            if not book.exceeded(more):
                book.reserve(name, more)
                under_way[name] = as_pod(cpu)
        elif step == "commit" and name in under_way:
            stored[name] = under_way.pop(name)
            book.put(name, stored[name], 0)
            book.release(name)
        elif step == "fail":
            under_way.pop(name, None)
        elif step == "delete" and name in stored and name not in under_way:
            del stored[name]
            book.put(name, None, 0)
        elif step == "end" and name in stored and name not in under_way:
            stored[name] = as_pod(stored[name]["cpu"], "Succeeded")
            book.put(name, stored[name], 0)
        running = [one for one in stored.values() if one["status"]["phase"] == "Running"]
        total = sum(one["cpu"] for one in running)
        assert total <= most
        assert book.used()["requests.cpu"].nanos == total * 10**9
