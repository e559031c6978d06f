"""`orch explain` and `orch simulate` as commands, and a placement as people read it."""

import json

import pytest
from click.testing import CliRunner

from orchestrator.cli import options
from orchestrator.cli.client import ApiFailure
from orchestrator.cli.explained import explained
from orchestrator.cli.kubeconfig import Access
from orchestrator.cli.main import root
from orchestrator.cli.simulated import read_settings, read_state
from orchestrator.simulation.copied import KINDS
from tests.unit.simulation.worlds import node

PLACEMENT = {
    "kind": "PodPlacement",
    "apiVersion": "scheduling.orch.dev/v1",
    "metadata": {"name": "web-1", "namespace": "default"},
    "state": "Bound",
    "summary": "on b; placed again now, a would be ahead by 12.5 points",
    "node": "b",
    "nominatedNode": "",
    "waitsFor": [],
    "profile": "resource-aware",
    "decided": {"message": "the only host that fits: 175 points", "time": "2027-01-15T07:00:00Z"},
    "comparison": {
        "hosts": 15,
        "feasible": 12,
        "takeTurns": False,
        "candidates": [
            {"node": "a", "points": 175.0, "scores": {"fit": 75.0, "balance": 100.0, "images": 0}},
            {"node": "b", "points": 162.5, "scores": {"fit": 62.5, "balance": 100.0, "images": 0}},
        ],
        "excluded": [
            {"reason": "insufficient cpu", "detail": "needs 2, free 500m", "plugin": "fit",
             "count": 2, "nodes": ["c", "d"]},
            {"reason": "cordoned", "detail": "", "plugin": "cordon", "count": 1, "nodes": []},
        ],
    },
}  # fmt: skip


def test_a_placement_as_people_read_it():
    assert explained(PLACEMENT) == [
        "Pod:         default/web-1",
        "State:       Bound",
        "Placement:   on b; placed again now, a would be ahead by 12.5 points",
        "Profile:     resource-aware",
        "Decided:     2027-01-15T07:00:00Z  the only host that fits: 175 points",
        "Compared:    now, as if it were placed again and were not on b; "
        "what runs stays where it is",
        "",
        "HOST   POINTS   FIT    BALANCE",
        "a      175      75     100",
        "b *    162.5    62.5   100",
        "... and 10 more",
        "",
        "AGAINST IT                              HOSTS   NAMES",
        "insufficient cpu (needs 2, free 500m)   2       c, d",
        "cordoned                                1       <none>",
    ]


class Server:
    """Answers GETs by path; what it does not know may not be read."""

    def __init__(self, answers):
        self.answers = answers
        self.warnings = []

    def request(self, method, path, **_):
        assert method == "GET", "nothing is written"
        if path not in self.answers:
            raise ApiFailure(f"{path} is forbidden", code=403, reason="Forbidden")
        return self.answers[path]


@pytest.fixture
def run(monkeypatch):
    def command(answers, *words):
        monkeypatch.setattr(
            options, "load_access", lambda *_: Access("http://x", "default", "", None, "")
        )
        monkeypatch.setattr(options, "Client", lambda _: Server(answers))
        return CliRunner().invoke(root, words)

    return command


def test_explain(run):
    answers = {"/api/v1/namespaces/default/pods/web-1/placement": PLACEMENT}
    assert run(answers, "explain", "pod", "web-1").output.startswith("Pod:         default/web-1\n")
    assert json.loads(run(answers, "explain", "pod/web-1", "-o", "json").output) == PLACEMENT
    refused = run(answers, "explain", "node", "a")
    assert (refused.exit_code, "it is pods that are placed" in refused.output) == (1, True)


def test_what_may_not_be_read_is_noted():
    answers = {"/api/v1/nodes": {"items": [node("a")]}, "/api/v1/pods": {"items": []}}
    copied, notes = read_state(Server(answers))
    assert list(copied) == ["nodes", "pods"]
    assert len(notes) == len(KINDS) - 2
    _, notes = read_settings(Server({}))
    assert notes == ["the server's settings may not be read: the defaults are taken"]
    with pytest.raises(ApiFailure):
        read_state(Server({"/api/v1/pods": {"items": []}}))


def test_settings_are_those_of_the_server():
    told = {"scheduler": {"profiles": {"full": {"fit": "most"}}}, "nodelifecycle": {"grace_s": 9}}
    settings, _ = read_settings(Server({"/configz": told}))
    assert settings.scheduler.profiles["full"].fit == "most"
    assert settings.nodelifecycle.grace_s == 9
