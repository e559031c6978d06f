"""Quantities: exact values and Kubernetes' canonical text."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.api.quantity import (
    canonical,
    format_bytes,
    format_mcpu,
    parse,
    parse_bytes,
    parse_cpu_mcpu,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("1", 1),
        ("-1", -1),
        ("+5", 5),
        ("1.5", Fraction(3, 2)),
        (".5", Fraction(1, 2)),
        ("5.", 5),
        ("500m", Fraction(1, 2)),
        ("1k", 1000),
        ("1Ki", 1024),
        ("1.5Gi", 3 * 2**29),
        ("1e3", 1000),
        ("1E3", 1000),
        ("12E", 12 * 10**18 if 12 * 10**18 < 2**63 else 2**63 - 1),
        ("100n", Fraction(1, 10**7)),
        ("2u", Fraction(1, 500000)),
        (2, 2),
        (0.25, Fraction(1, 4)),
        ("1e-3", Fraction(1, 1000)),
        ("1e999999999", 2**63 - 1),
        ("1e-999999999", Fraction(1, 10**9)),
        ("0.0000000001", Fraction(1, 10**9)),
    ],
)
def test_values_are_exact(text, value):
    assert parse(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "1.2.3",
        "5KB",
        "1 Gi",
        "m",
        ".",
        "-",
        "1ki",
        "1mi",
        "--1",
        "1e",
        "1ee3",
        "\u0661",
        "1" * 5000,
    ],
)
def test_what_is_no_quantity_is_said_so(text):
    with pytest.raises(ValueError, match=r"quantities must match|unable to parse"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("0.5", "500m"),
        ("1000m", "1"),
        ("1024Mi", "1Gi"),
        ("1536Mi", "1536Mi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Gi", "512Mi"),
        ("512", "512"),
        ("0.5Ki", "512"),
        ("2000k", "2M"),
        ("1e3", "1e3"),
        ("1e4", "10e3"),
        ("100e0", "100"),
        ("0", "0"),
        ("0Gi", "0"),
        ("1500m", "1500m"),
        (1, "1"),
        (0.1, "100m"),
        ("-0.5", "-500m"),
        ("1.00000000001", "1000000001n"),
        ("1025", "1025"),
        ("0.5Ti", "512Gi"),
        ("1.1Ki", "1126400m"),
    ],
)
def test_canonical_text_is_kubernetes(text, written):
    assert canonical(text) == written


@given(st.integers(0, 10**12), st.sampled_from(["", "m", "k", "M", "Ki", "Mi", "Gi", "e3"]))
def test_canonical_keeps_the_value_and_is_a_fixed_point(number, suffix):
    text = f"{number}{suffix}"
    written = canonical(text)
    assert parse(written) == parse(text)
    assert canonical(written) == written


def test_units_round_up():
    assert parse_cpu_mcpu("1.5") == 1500
    assert parse_cpu_mcpu("1u") == 1
    assert parse_bytes("1Mi") == 2**20
    assert parse_bytes("100m") == 1


def test_formats_read_back():
    assert format_mcpu(1500) == "1500m"
    assert format_mcpu(2000) == "2"
    assert format_bytes(2**31) == "2Gi"
    assert format_bytes(1000) == "1000"
    assert format_bytes(0) == "0"
