"""Normalised scores stay within their bounds, whatever hosts are like that are not asked."""

import numpy as np
import pytest

from orchestrator.scheduler import scores
from orchestrator.scheduler.scores import FULL

RAW = np.array([3, 5, 90_000, 0, -70_000])
FEASIBLE = np.array([True, True, False, False, False])


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        pytest.param(scores.most_is_full(RAW, 5), [6000, FULL], id="most_is_full"),
        pytest.param(scores.least_is_full(RAW, 5), [4000, 0], id="least_is_full"),
        pytest.param(scores.stretched(RAW, FEASIBLE), [0, FULL], id="stretched"),
        pytest.param(scores.emptiest_is_full(RAW, FEASIBLE), [FULL, 6000], id="emptiest_is_full"),
    ],
)
def test_hosts_that_are_not_feasible_get_no_more_than_others(found, wanted):
    assert found[FEASIBLE].tolist() == wanted
    assert found.min() >= 0
    assert found.max() <= FULL


@pytest.mark.parametrize("weight", [0, 1, 3])
def test_tables_say_what_plain_sums_say(weight):
    balance, fewer = scores.balance_table(weight), scores.fewer_table(weight)
    for apart in (0, 1, 2, 4999, 9999, FULL):
        for signed in (apart, -apart):
            assert balance[signed] == weight * (FULL - apart // 2)
    for count in (0, 1, 2, 77, FULL, 3 * FULL):
        assert fewer.take(count, mode="clip") == weight * (FULL // (count + 1))
    least, most = scores.straight_table("least", weight), scores.straight_table("most", weight)
    for cpu, memory in ((0, 0), (1, 2), (FULL, 3), (FULL, FULL), (7, 7)):
        assert least[cpu + memory] == weight * ((FULL - cpu + FULL - memory) // 2)
        assert most[cpu + memory] == weight * ((cpu + memory) // 2)
