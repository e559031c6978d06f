"""A PodPlacement as people read it: where a pod is and why, hosts by points, reasons by number."""

from typing import Any, Final

from orchestrator.cli.printing import columns

Document = dict[str, Any]
_NONE: Final = "<none>"


def explained(found: Document) -> list[str]:
    """The lines of `orch explain pod`."""
    meta, node = found["metadata"], found["node"]
    rows = [
        ["Pod:", f"{meta['namespace']}/{meta['name']}"],
        ["State:", found["state"]],
        ["Placement:", found["summary"]],
    ]
    if found["profile"]:
        rows.append(["Profile:", found["profile"]])
    if found["nominatedNode"]:
        rows.append(["Nominated:", found["nominatedNode"]])
    if found["decided"]["message"]:
        rows.append(["Decided:", f"{found['decided']['time']}  {found['decided']['message']}"])
    compared = found.get("comparison")
    if compared is not None:
        rows.append(["Compared:", _how(found["state"], node)])
    lines = columns(rows)
    if compared is not None:
        lines += _candidates(compared, node) + _excluded(compared)
    return lines


def _how(state: str, node: str) -> str:
    if not node:
        return "now"
    tail = "" if state == "Leaving" else "; what runs stays where it is"
    return f"now, as if it were placed again and were not on {node}{tail}"


def _candidates(compared: Document, node: str) -> list[str]:
    found = compared["candidates"]
    if not found:
        return []
    parts = [name for name in found[0]["scores"] if any(one["scores"].get(name) for one in found)]
    rows = [["HOST", *([] if compared["takeTurns"] else ["POINTS"]), *(p.upper() for p in parts)]]
    for one in found:
        name = one["node"] + (" *" if one["node"] == node else "")
        points = [] if compared["takeTurns"] else [_number(one["points"])]
        rows.append([name, *points, *(_number(one["scores"].get(part, 0)) for part in parts)])
    lines = ["", *columns(rows)]
    more = compared["feasible"] - len(found)
    return [*lines, f"... and {more} more"] if more > 0 else lines


def _excluded(compared: Document) -> list[str]:
    found = compared["excluded"]
    if not found:
        return []
    rows = [["AGAINST IT", "HOSTS", "NAMES"]]
    for one in found:
        words = f"{one['reason']} ({one['detail']})" if one["detail"] else one["reason"]
        rows.append([words, str(one["count"]), _names(one["nodes"])])
    return ["", *columns(rows)]


def _names(nodes: list[str]) -> str:
    if not nodes:
        return _NONE
    more = len(nodes) - 5
    return ", ".join(nodes[:5]) + (f" and {more} more" if more > 0 else "")


def _number(points: float) -> str:
    return f"{points:.1f}".removesuffix(".0")
