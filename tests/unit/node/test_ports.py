"""Host ports are given out in a circle, all or none, and are never lost for good."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.node.ports import Ports, PortsExhausted


def test_free_ones_in_a_circle():
    ports = Ports(100, 103)
    assert ports.allocate("a", {"80/tcp": 0, "81/tcp": 0}) == {"80/tcp": 100, "81/tcp": 101}
    ports.release("a")
    assert ports.allocate("b", {"80/tcp": 0}) == {"80/tcp": 102}, "not what was just freed"
    assert ports.allocate("c", {"80/tcp": 0, "81/tcp": 0}) == {"80/tcp": 103, "81/tcp": 100}


def test_those_asked_for_by_number_are_given_and_not_given_twice():
    ports = Ports(100, 102)
    assert ports.allocate("a", {"80/tcp": 101, "81/tcp": 8080}) == {"80/tcp": 101, "81/tcp": 8080}
    assert set(ports.allocate("b", {"80/tcp": 0, "81/tcp": 0}).values()) == {100, 102}


def test_a_number_asked_for_is_not_given_to_another_key_of_the_same_pod():
    found = Ports(100, 102).allocate("a", {"80/tcp": 0, "81/tcp": 100})
    assert found == {"80/tcp": 101, "81/tcp": 100}


def test_all_or_none():
    ports = Ports(100, 101)
    with pytest.raises(PortsExhausted, match="between 100 and 101"):
        ports.allocate("a", {"1/tcp": 0, "2/tcp": 0, "3/tcp": 0})
    assert len(ports.allocate("b", {"1/tcp": 0, "2/tcp": 0})) == 2


def test_what_an_owner_has_already():
    ports = Ports(100, 101)
    ports.adopt("a", [100])
    assert ports.allocate("b", {"80/tcp": 0}) == {"80/tcp": 101}
    with pytest.raises(PortsExhausted):
        ports.allocate("c", {"80/tcp": 0})
    ports.release("a")
    assert ports.allocate("c", {"80/tcp": 0}) == {"80/tcp": 100}


def test_ports_that_the_host_refused_come_last():
    ports = Ports(100, 102)
    ports.allocate("a", {"80/tcp": 0})
    ports.refuse("a", [100])
    assert ports.allocate("a", {"80/tcp": 0}) == {"80/tcp": 101}
    ports.release("a")
    assert [ports.allocate(o, {"80/tcp": 0})["80/tcp"] for o in "bcd"] == [102, 101, 100]


def test_only_ones_own_are_refused():
    ports = Ports(100, 100)
    ports.adopt("a", [100])
    ports.refuse("b", [100])
    with pytest.raises(PortsExhausted):
        ports.allocate("b", {"80/tcp": 0})


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["get", "free", "refuse"])), max_size=30
    )
)
def test_no_port_has_two_owners_and_none_is_lost(steps):
    ports, held = Ports(100, 105), {}
    for owner, action in steps:
        mine = held.setdefault(owner, [])
        if action == "get":
            try:
                mine += ports.allocate(owner, {"80/tcp": 0, "81/tcp": 0}).values()
            except PortsExhausted:
                assert sum(map(len, held.values())) > 4
        elif action == "free":
            ports.release(owner)
            mine.clear()
        else:
            ports.refuse(owner, mine)
            mine.clear()
        every = [port for each in held.values() for port in each]
        assert len(every) == len(set(every))
    for owner in held:
        ports.release(owner)
    assert len(ports.allocate("z", {f"{n}/tcp": 0 for n in range(6)})) == 6
