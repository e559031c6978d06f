from dataclasses import dataclass
from typing import Literal

import pytest

from orchestrator.kit.errors import ConfigError
from orchestrator.kit.settings import load_settings


@dataclass(frozen=True)
class Inner:
    port: int = 8080
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outer:
    cluster: str = "orch"
    strategy: Literal["round-robin", "resource-aware"] = "resource-aware"
    api: Inner = Inner()


def test_defaults_and_given_values() -> None:
    assert load_settings("", Outer, "f") == Outer()
    text = "cluster: prod\napi: {port: 9000, names: [a, b]}\nstrategy: round-robin\n"
    assert load_settings(text, Outer, "f") == Outer("prod", "round-robin", Inner(9000, ("a", "b")))


def test_all_faults_with_their_lines() -> None:
    text = "clustr: x\napi:\n  port: many\n  nams: []\nstrategy: best\n"
    with pytest.raises(ConfigError) as caught:
        load_settings(text, Outer, "server.yaml")
    assert caught.value.problems == (
        "server.yaml:1: clustr: unknown setting; did you mean 'cluster'?",
        "server.yaml:3: api.port: 'many' is wrong; must be a whole number",
        "server.yaml:4: api.nams: unknown setting; did you mean 'names'?",
        "server.yaml:5: strategy: 'best' is wrong; must be round-robin or resource-aware",
    )


def test_broken_yaml_names_the_line() -> None:
    with pytest.raises(ConfigError, match=r"f:2: not YAML"):
        load_settings("a: [\nb: }\n", Outer, "f")
