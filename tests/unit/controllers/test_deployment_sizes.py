"""Kubernetes' arithmetic of rollouts: rounding, steps, proportions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.api.types.apps import DeploymentSpec, DeploymentStrategy, RollingUpdate
from orchestrator.controllers.deployment.sizes import (
    Bounds,
    Size,
    bounds_of,
    new_size,
    old_sizes,
    proportional_sizes,
)


def spec(replicas: int, surge, unavailable) -> DeploymentSpec:
    rolling = RollingUpdate(max_surge=surge, max_unavailable=unavailable)
    return DeploymentSpec(replicas=replicas, strategy=DeploymentStrategy(rolling_update=rolling))


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        pytest.param(10, "25%", "25%", (3, 2), id="surge rounds up, unavailable down"),
        pytest.param(3, "25%", "25%", (1, 0), id="small deployments only surge"),
        pytest.param(1, "25%", "25%", (1, 0), id="one replica"),
        pytest.param(10, 0, 0, (0, 1), id="both nothing means one unavailable"),
        pytest.param(10, "0%", "0%", (0, 1), id="both nothing in percent too"),
        pytest.param(3, 0, "10%", (0, 1), id="rounded to nothing with no surge means one"),
        pytest.param(4, 2, 9, (2, 4), id="no more unavailable than there are"),
        pytest.param(0, "50%", "50%", (0, 0), id="none wanted"),
        pytest.param(5, "100%", 0, (5, 0), id="blue and green"),
    ],
)
def test_bounds(replicas: int, surge, unavailable, expected: tuple[int, int]) -> None:
    bounds = bounds_of(spec(replicas, surge, unavailable))
    assert (bounds.surge, bounds.unavailable) == expected


def test_recreate_has_no_bounds() -> None:
    recreate = DeploymentSpec(replicas=4, strategy=DeploymentStrategy(type="Recreate"))
    assert bounds_of(recreate) == Bounds(4, 0, 0)


@pytest.mark.parametrize(
    ("new", "total", "expected"),
    [
        pytest.param(0, 0, 10, id="first rollout starts all"),
        pytest.param(0, 10, 3, id="a rollout starts the surge"),
        pytest.param(3, 13, 3, id="no room, no step"),
        pytest.param(5, 11, 7, id="what the old ones left"),
        pytest.param(9, 10, 10, id="not beyond what is wanted"),
        pytest.param(12, 12, 10, id="scaled down in the middle"),
    ],
)
def test_the_new_replica_set_grows_into_the_room(new: int, total: int, expected: int) -> None:
    assert new_size(Bounds(10, 3, 2), new, total) == expected


def old(name: str, replicas: int, available: int) -> Size:
    return Size(name, replicas, available, age=name)


@pytest.mark.parametrize(
    ("new", "olds", "expected"),
    [
        pytest.param(old("n", 3, 0), [old("a", 10, 10)], {"a": 8}, id="only the unavailable"),
        pytest.param(old("n", 3, 3), [old("a", 8, 8)], {"a": 5}, id="what the new one carries"),
        pytest.param(old("n", 3, 3), [old("a", 10, 10)], {"a": 5}, id="down to the minimum"),
        pytest.param(old("n", 5, 3), [old("a", 5, 5)], {}, id="nothing to spare"),
        pytest.param(old("n", 3, 0), [old("a", 5, 0), old("b", 5, 5)], {"a": 3}, id="broken first"),
        pytest.param(
            old("n", 3, 3), [old("a", 4, 0), old("b", 8, 8)], {"a": 0, "b": 5},
            id="broken ones do not count",
        ),
        pytest.param(
            old("n", 10, 10), [old("a", 2, 2), old("b", 1, 1)], {"a": 0, "b": 0}, id="the end"
        ),
    ],
)  # fmt: skip
def test_old_replica_sets_make_room(new: Size, olds: list[Size], expected: dict[str, int]) -> None:
    assert old_sizes(Bounds(10, 3, 2), new, olds) == expected


@pytest.mark.parametrize(
    ("replicas", "sizes", "expected"),
    [
        pytest.param(20, {"a": 8, "b": 5}, {"a": 15, "b": 10}, id="grow by share"),
        pytest.param(5, {"a": 8, "b": 5}, {"a": 4, "b": 3}, id="shrink by share"),
        pytest.param(0, {"a": 8, "b": 5}, {"a": 0, "b": 0}, id="to nothing"),
        pytest.param(10, {"a": 8, "b": 5}, {"a": 8, "b": 5}, id="unchanged"),
        pytest.param(11, {"a": 8, "b": 5}, {"a": 9, "b": 5}, id="the bigger one gets the rest"),
    ],
)
def test_proportions(replicas: int, sizes: dict[str, int], expected: dict[str, int]) -> None:
    bounds = bounds_of(spec(replicas, "25%", "25%"))
    given_sizes = [Size(name, size, size, age=name, most_before=13) for name, size in sizes.items()]
    assert proportional_sizes(bounds, given_sizes, 13) == expected


def test_the_example_of_the_kubernetes_documentation() -> None:
    sizes = [Size("old", 8, 8, age="1", most_before=13), Size("new", 5, 0, "2", most_before=13)]
    assert proportional_sizes(Bounds(15, 3, 2), sizes, 13) == {"old": 11, "new": 7}


@given(
    st.integers(0, 60),
    st.lists(st.integers(1, 30), min_size=2, max_size=5),
    st.integers(0, 20),
)
def test_proportions_fill_exactly_what_is_allowed(
    replicas: int, sizes: list[int], surge: int
) -> None:
    bounds = Bounds(replicas, surge, 0)
    given_sizes = [Size(str(i), n, n, age=str(i)) for i, n in enumerate(sizes)]
    result = proportional_sizes(bounds, given_sizes, sum(sizes))
    assert min(result.values()) >= 0
    assert sum(result.values()) == (bounds.most if replicas else 0)
