"""Quantities ("500m", "1Gi", "1e3"): exact values, and the form that Kubernetes writes them in.

Source: Kubernetes API, resource.Quantity.
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import Final

_SHAPE: Final = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?([eEinumkKMGTP]*[-+]?\d*)", re.ASCII)
_SHAPE_MESSAGE: Final = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)
_SUFFIX_MESSAGE: Final = "unable to parse quantity's suffix"
_DECIMAL: Final = {
    "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
}  # fmt: skip
_BINARY: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_OF: Final = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_OF: Final = {exponent: suffix for suffix, exponent in _BINARY.items()}
_NANO: Final = 10**9
_MOST: Final = 2**63 - 1
_MOST_DIGITS: Final = 1000

Raw = str | int | float
"""A quantity as JSON carries it."""


def parse(quantity: Raw) -> Fraction:
    """The exact value; like Kubernetes, rounded up to a whole nano and capped at 2^63-1.

    Raises:
        ValueError: no quantity; the text is Kubernetes'.
    """
    return _read(str(quantity))[0]


@lru_cache(maxsize=4096, typed=True)
def is_negative(quantity: Raw) -> bool:
    """Whether it is less than nothing.

    Raises:
        ValueError: no quantity.
    """
    return parse(quantity) < 0


@lru_cache(maxsize=4096, typed=True)
def exceeds(quantity: Raw, limit: Raw) -> bool:
    """Whether a quantity is more than another one.

    Raises:
        ValueError: one of them is no quantity.
    """
    return parse(quantity) > parse(limit)


def parse_cpu_mcpu(quantity: Raw) -> int:
    """Thousandths of a CPU, rounded up.

    Raises:
        ValueError: no quantity.
    """
    return _ceil(parse(quantity) * 1000)


def parse_bytes(quantity: Raw) -> int:
    """Whole units (bytes), rounded up.

    Raises:
        ValueError: no quantity.
    """
    return _ceil(parse(quantity))


def canonical(quantity: Raw) -> str:
    """The quantity as Kubernetes writes it back: "0.5" is "500m", "1024Mi" is "1Gi".

    Raises:
        ValueError: no quantity.
    """
    return _written(str(quantity))


def parse_nanos(quantity: Raw) -> tuple[int, str]:
    """The exact value in thousand-millionths, and its style: "decimal", "binary", "exponent".

    Raises:
        ValueError: no quantity.
    """
    value, style = _read(str(quantity))
    return int(value * _NANO), style


def format_nanos(nanos: int, style: str) -> str:
    """The quantity of so many thousand-millionths as Kubernetes writes it in that style."""
    return _text_of(Fraction(nanos, _NANO), style)


@lru_cache(maxsize=4096)
def _written(text: str) -> str:
    return _text_of(*_read(text))


def _text_of(value: Fraction, style: str) -> str:
    if not value:
        return "0"
    if style == "binary" and (abs(value) < 1024 or value.denominator != 1):
        style = "decimal"  # what cannot be shown exactly in powers of 1024
    if style == "binary":
        return _binary_text(value.numerator)
    return _decimal_text(value, style)


def format_mcpu(mcpu: int) -> str:
    """Thousandths of a CPU as a canonical quantity: 1500 is "1500m", 2000 is "2"."""
    return canonical(f"{mcpu}m")


def format_bytes(count: int) -> str:
    """Bytes as a canonical quantity in powers of 1024: "2Gi", "1500"."""
    return canonical(f"{count / 1024:.0f}Ki") if count % 1024 == 0 and count else str(count)


@lru_cache(maxsize=4096)
def _read(text: str) -> tuple[Fraction, str]:
    """Value and style: "decimal", "binary" or "exponent"."""
    match = _SHAPE.fullmatch(text)
    if match is None or len(text) > _MOST_DIGITS:
        raise ValueError(_SHAPE_MESSAGE)
    sign, whole, fraction, suffix = match.groups()
    if not whole and not fraction:
        raise ValueError(_SHAPE_MESSAGE)
    value = Fraction(int(whole + (fraction or "") or "0"), 10 ** len(fraction or ""))
    factor, style = _factor(suffix)
    value *= factor
    nanos = value * _NANO
    value = Fraction(min(_ceil(nanos), _MOST * _NANO), _NANO)
    return (-value if sign == "-" else value), style


def _factor(suffix: str) -> tuple[Fraction, str]:
    if suffix in _DECIMAL:
        return Fraction(10) ** _DECIMAL[suffix], "decimal"
    if suffix in _BINARY:
        return Fraction(2 ** _BINARY[suffix]), "binary"
    if suffix[0] in "eE":
        try:
            exponent = int(suffix[1:])
        except ValueError:
            raise ValueError(_SUFFIX_MESSAGE) from None
        # beyond these the value is capped or rounded to one nano anyway, for any mantissa we take
        exponent = max(-_MOST_DIGITS - 20, min(_MOST_DIGITS + 40, exponent))
        return Fraction(10) ** exponent, "exponent"
    raise ValueError(_SUFFIX_MESSAGE)


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)


def _decimal_text(value: Fraction, style: str) -> str:
    mantissa, exponent = int(value * _NANO), -9
    while mantissa % 1000 == 0 and (style == "exponent" or exponent < 18):
        mantissa //= 1000
        exponent += 3
    if style == "exponent":
        return f"{mantissa}e{exponent}" if exponent else str(mantissa)
    return f"{mantissa}{_DECIMAL_OF[exponent]}"


def _binary_text(value: int) -> str:
    exponent = 0
    while value % 1024 == 0 and exponent < 60:
        value //= 1024
        exponent += 10
    return f"{value}{_BINARY_OF.get(exponent, '')}"
