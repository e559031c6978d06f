"""The data files are what scripts/generate-schema makes for today's table of kinds."""

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

from orchestrator.api.resources import RESOURCES
from orchestrator.api.schema.bundle import KUBERNETES_VERSION, definitions, wire_messages
from orchestrator.api.schema.metrics import METRICS
from orchestrator.api.schema.placement import PLACEMENT

SCRIPT = Path(__file__).parents[4] / "scripts" / "generate-schema"


@pytest.fixture(scope="module")
def generator():
    loader = SourceFileLoader("generate_schema", str(SCRIPT))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_definitions_are_up_to_date(generator):
    assert generator.trimmed_definitions() | METRICS | PLACEMENT == definitions()


def test_another_generated_package_agrees_about_the_table(generator):
    generator.check_against_lightkube()  # raises SystemExit when it does not
    assert RESOURCES


def test_every_message_that_is_referred_to_is_there():
    messages = wire_messages()
    for name, rows in messages.items():
        for row in rows:
            assert not row.reference or row.reference in messages, (name, row)
    assert KUBERNETES_VERSION.count(".") == 2
