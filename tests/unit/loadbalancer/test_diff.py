"""From the servers that HAProxy has to those that it should have, step by step."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.loadbalancer.desired import Backend, Desired, Server
from orchestrator.loadbalancer.diff import (
    Add,
    Change,
    Drain,
    Observed,
    Ready,
    Remove,
    TakeOut,
    busy_pods,
    changes,
)

B = "http_default_web_80"


def wanted(*servers: Server) -> Desired:
    backend = Backend("default", "web", 80, "http", servers)
    leaving = frozenset(s.pod for s in servers if s.state == "drain")
    return Desired({B: backend}, {}, {}, (), leaving=leaving)


def server(name: str, state: str = "ready") -> Server:
    return Server("10.0.0.1", ord(name), state, ("default", name, f"uid-{name}"))  # type: ignore[arg-type]  # a table's word


def seen(name: str, **more: object) -> Observed:
    return Observed(B, server(name).name, **more)  # type: ignore[arg-type]  # names vary


def test_equal_states_need_no_change() -> None:
    there = [seen("a"), seen("b", draining=True)]
    assert changes(there, wanted(server("a"), server("b", "drain"))) == []


def test_additions_come_before_losses() -> None:
    found = changes([seen("b")], wanted(server("a"), server("b", "drain")))
    assert found == [Add(B, server("a")), Drain(B, server("b").name)]


def test_a_draining_server_that_is_wanted_again_is_made_ready() -> None:
    for there in (seen("a", draining=True), seen("a", maintenance=True)):
        assert changes([there], wanted(server("a"))) == [Ready(B, server("a").name)]


def test_an_unwanted_server_drains_until_idle_then_goes() -> None:
    name = server("a").name
    steps: list[tuple[Observed, list[Change]]] = [
        (seen("a", sessions=2), [Drain(B, name)]),
        (seen("a", sessions=2, draining=True), []),
        (seen("a", draining=True), [TakeOut(B, name)]),
        (seen("a", maintenance=True), [Remove(B, name)]),
        (seen("a", maintenance=True, sessions=1), []),
    ]
    for there, expected in steps:
        assert changes([there], wanted()) == expected


def test_a_leaving_pod_without_a_server_gets_none() -> None:
    assert changes([], wanted(server("a", "drain"))) == []


def test_pods_are_busy_until_they_drain_and_are_idle() -> None:
    leaving = wanted(server("a", "drain"))
    pod = server("a").pod
    assert busy_pods(leaving, [seen("a")]) == {pod}
    assert busy_pods(leaving, [seen("a", draining=True, sessions=1)]) == {pod}
    assert busy_pods(leaving, [seen("a", draining=True)]) == set()
    assert busy_pods(leaving, []) == set()


def apply(there: dict[str, Observed], change: Change) -> None:
    match change:
        case Add(_, new):
            there[new.name] = Observed(B, new.name)
        case Ready(_, name):
            there[name] = replace(there[name], draining=False, maintenance=False)
        case Drain(_, name):
            there[name] = replace(there[name], draining=True)
        case TakeOut(_, name):
            assert there[name].sessions == 0, "requests were cut"
            there[name] = replace(there[name], maintenance=True)
        case Remove(_, name):
            assert there[name].maintenance
            assert there[name].sessions == 0
            del there[name]


NAMES = "abcd"
OBSERVED = st.dictionaries(
    st.sampled_from(NAMES), st.tuples(st.booleans(), st.booleans(), st.integers(0, 2))
)
WANTED = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["ready", "drain"]))


@given(OBSERVED, WANTED)
def test_repeated_steps_end_at_what_is_wanted_and_cut_nothing(
    before: dict[str, tuple[bool, bool, int]], target: dict[str, str]
) -> None:
    there = {
        server(n).name: seen(n, draining=d, maintenance=m, sessions=s)
        for n, (d, m, s) in before.items()
    }
    goal = wanted(*(server(n, state) for n, state in sorted(target.items())))
    for _ in range(4):
        for change in changes(there.values(), goal):
            apply(there, change)
        # requests end: none of those that were running was cut by the step above
        there = {name: replace(o, sessions=0) for name, o in there.items()}
    assert changes(there.values(), goal) == []
    serving = {n for n, o in there.items() if not (o.draining or o.maintenance)}
    assert serving == {server(n).name for n, state in target.items() if state == "ready"}
    assert set(there) <= {server(n).name for n in target}
