"""Sets of completion indexes as text: "1,3-5,7". Source: Kubernetes API, batch/v1 JobStatus."""

from collections.abc import Iterable


def parse(text: str) -> frozenset[int]:
    """The indexes.

    Raises:
        ValueError: no such list, or one that is not ascending.
    """
    found: list[int] = []
    for part in text.split(",") if text else ():
        first, dash, last = part.partition("-")
        low = int(first)
        high = int(last) if dash else low
        if high < low or low < 0 or (found and low <= found[-1]):
            raise ValueError(f"the intervals must ascend: {part!r}")
        found += range(low, high + 1)
    return frozenset(found)


def shown(indexes: Iterable[int]) -> str:
    """The text: neighbours as intervals, two of them with a comma."""
    parts: list[str] = []
    run: list[int] = []
    for index in [*sorted(indexes), None]:
        if run and index != run[-1] + 1:
            if len(run) > 2:
                parts.append(f"{run[0]}-{run[-1]}")
            else:
                parts += map(str, run)
            run = []
        if index is not None:
            run.append(index)
    return ",".join(parts)
