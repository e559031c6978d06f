"""Writes docs/settings.md from the settings classes: one place per fact.

python scripts/lib/settings_doc.py [--check]
"""

import dataclasses
import inspect
import re
import sys
import typing
from pathlib import Path

from orchestrator.kit.settings import named_kind
from orchestrator.server import ServerSettings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
HEAD = """\
# Settings of the server

`server.yaml` in the state directory; every key is optional, and unknown keys, wrong types and
values are reported with their line. `orch bootstrap` writes the cluster's name and the ports there
and leaves the rest alone. Restart the server after a change: `orch stop`, then
`orch bootstrap INVENTORY`.
Durations end in `_s` (seconds) or `_ms`, sizes in `_bytes`. For example:

```yaml
cluster: prod
scheduler: {strategy: round-robin}
nodelifecycle: {grace_s: 5}
apiserver: {host: 10.0.0.5}
```

Pods with `schedulerName: packed` go where there is least room left:

```yaml
scheduler:
  profiles:
    packed: {fit: most, weight_workload: 0}
```

Running pods are moved to better hosts, at first only in words (Events tell what would be done):

```yaml
rebalance: {enabled: true, dry_run: true, moves_per_minute: 10, low_above: {cpu: 70}}
```

This page is made by `scripts/lib/settings_doc.py` from the settings' own descriptions.
"""


def attributes(kind: type) -> dict[str, str]:
    """Field name to its description in the class's docstring."""
    text = inspect.getdoc(kind) or ""
    _, _, section = text.partition("Attributes:\n")
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        match = re.match(r"    (\w+): (.*)", line)
        if match:
            name = match.group(1)
            found[name] = match.group(2)
        elif name and line.startswith("        "):
            found[name] += " " + line.strip()
    return found


def shown(value: object) -> str:
    """A default as YAML would have it."""
    if isinstance(value, bool):
        return str(value).lower()
    if value == "":
        return '""'
    if isinstance(value, tuple) and all(isinstance(one, str) for one in value):
        return f"[{', '.join(value)}]"
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return str(value)


def default(field: dataclasses.Field[object]) -> str:
    """What a setting is where nobody says anything."""
    if field.default is not dataclasses.MISSING:
        return shown(field.default)
    made = field.default_factory() if field.default_factory is not dataclasses.MISSING else {}
    pairs = made.items() if isinstance(made, dict) else ()
    return f"{{{', '.join(f'{key}: {shown(value)}' for key, value in pairs)}}}"


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    tops = dataclasses.fields(ServerSettings)
    about = attributes(ServerSettings)
    hints = typing.get_type_hints(ServerSettings)
    plain = [f for f in tops if not dataclasses.is_dataclass(hints[f.name])]
    lines += table("", [(f.name, shown(f.default), about[f.name]) for f in plain])
    for part in tops:
        kind = hints[part.name]
        if not dataclasses.is_dataclass(kind):
            continue
        words = attributes(kind)
        rows = [(f.name, default(f), words[f.name]) for f in dataclasses.fields(kind)]
        lines += [f"\n## {part.name}: {about[part.name].rstrip('.')}\n"]
        lines += table(part.name, rows)
        for name, hint in typing.get_type_hints(kind).items():
            inner = named_kind(hint)
            if inner is not None:
                words = attributes(inner)
                rows = [(f.name, default(f), words[f.name]) for f in dataclasses.fields(inner)]
                lines += ["", *table(f"{part.name}.{name}.NAME", rows)]
    return "\n".join(lines) + "\n"


def table(section: str, rows: list[tuple[str, str, str]]) -> list[str]:
    """Markdown rows."""
    head = ["| Key | Default | Meaning |", "|---|---|---|"]
    dot = f"{section}." if section else ""
    return head + [f"| `{dot}{n}` | `{d}` | {w.replace('|', chr(92) + '|')} |" for n, d, w in rows]


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(0 if PAGE.read_text() == page() else f"{PAGE} is out of date; run {sys.argv[0]}")
    PAGE.write_text(page())
