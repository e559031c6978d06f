"""A gated pod's place may be made narrower, never wider; another's not at all."""

import pytest

from orchestrator.api.validation.collector import Faults
from orchestrator.api.validation.pod import validate_pod_update

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
ONE = {"key": "a", "operator": "Exists"}
TWO = {"key": "b", "operator": "Exists"}


def needs(*terms):
    found = {"nodeSelectorTerms": [{"matchExpressions": list(term)} for term in terms]}
    return {"affinity": {"nodeAffinity": {REQUIRED: found}}}


def spec(gated=True, **more):
    gates = {"schedulingGates": [{"name": "example.com/wait"}]} if gated else {}
    return {"spec": {"containers": [{"name": "c", "image": "web:1"}], **gates, **more}}


WISH = [{"weight": 1, "preference": {"matchExpressions": [ONE]}}]


@pytest.mark.parametrize(
    ("before", "after", "wrong"),
    [
        pytest.param({}, {"nodeSelector": {"a": "b"}}, "", id="a selector"),
        pytest.param({"nodeSelector": {"a": "b"}}, {"nodeSelector": {"a": "b", "c": "d"}}, "",
                     id="one more label"),
        pytest.param({"nodeSelector": {"a": "b"}}, {"nodeSelector": {"a": "x"}},
                     "spec.nodeSelector", id="another label"),
        pytest.param({"nodeSelector": {"a": "b"}}, {}, "spec.nodeSelector", id="none any more"),
        pytest.param({}, needs([ONE]), "", id="an affinity"),
        pytest.param(needs([ONE]), needs([ONE, TWO]), "", id="one more expression"),
        pytest.param(needs([ONE]), needs([TWO]), "nodeSelectorTerms[0]", id="another expression"),
        pytest.param(needs([ONE]), needs([ONE], [TWO]), "nodeSelectorTerms", id="one more term"),
        pytest.param(needs([ONE]), {}, "nodeSelectorTerms", id="no affinity any more"),
        pytest.param({"affinity": {"nodeAffinity": {PREFERRED: WISH}}}, {}, "", id="wishes"),
        pytest.param({}, {"affinity": {"podAffinity": {PREFERRED: []}}}, "spec",
                     id="affinity to pods stays"),
        pytest.param({}, {"hostNetwork": True}, "spec", id="everything else stays"),
    ],
)  # fmt: skip
def test_narrowing(before, after, wrong):
    faults = Faults()
    validate_pod_update(faults, spec(**after), spec(**before))
    told = [cause.field for cause in faults.causes]
    assert [wrong in field for field in told] == ([True] if wrong else []), faults.causes


def test_a_pod_without_gates_stays_as_it_is():
    faults = Faults()
    validate_pod_update(faults, spec(gated=False, nodeSelector={"a": "b"}), spec(gated=False))
    assert [cause.field for cause in faults.causes] == ["spec"]
