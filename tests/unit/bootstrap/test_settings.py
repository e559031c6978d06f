"""Deadlines of bootstrap for hosts that are slow."""

from dataclasses import asdict

from click.testing import CliRunner

from orchestrator.bootstrap.settings import BootstrapSettings
from orchestrator.cli.main import root


def test_patience_makes_every_deadline_longer_and_changes_nothing_else():
    usual, patient = asdict(BootstrapSettings()), asdict(BootstrapSettings().patient(4.0))
    deadlines = {k for k in usual if k.endswith("_timeout_s")}
    assert len(deadlines) == 4
    for name, value in usual.items():
        assert patient[name] == (value * 4 if name in deadlines else value)


def test_both_commands_take_it():
    for command in ("bootstrap", "reset"):
        answer = CliRunner().invoke(root, [command, "x.yaml", "--patience", "0.5"])
        assert answer.exit_code == 2
        assert "'--patience': 0.5 is not in the range 1<=x<=100" in answer.output
