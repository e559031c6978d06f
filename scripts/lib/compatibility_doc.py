"""Writes docs/kubernetes-compatibility.md from the tables that the server itself uses.

python scripts/lib/compatibility_doc.py [--check]
"""

import sys
from pathlib import Path

from orchestrator.api.resources import (
    CREATE_ONLY,
    METRICS_GROUP,
    READ_VERBS,
    RESOURCES,
    Resource,
)
from orchestrator.api.schema.bundle import KUBERNETES_VERSION
from orchestrator.api.schema.nodes import SchemaNode, schema_of
from orchestrator.api.unsupported import REFUSED, UNSUPPORTED

PAGE = Path(__file__).resolve().parents[2] / "docs" / "kubernetes-compatibility.md"
HEAD = f"""\
# Compatibility with Kubernetes

The API is that of Kubernetes {KUBERNETES_VERSION}. This page is made by
`scripts/lib/compatibility_doc.py` from the tables that the server answers by; `scripts/conformance`
tries what kubectl can do with them.

- **acted on**: the field does what Kubernetes says it does.
- **kept**: the field is stored and given back, nothing acts on it, and a `Warning:` of the request
  that sets it says so. Where only some values or fields below it are without effect, they are
  named.
- **refused**: the field is an error, because ignoring it would do harm.

A field that Kubernetes does not know is an error, or with `--validate=warn` a warning and dropped.
"""
_SKIPPED = {"apiVersion", "kind", "metadata", "status"}


def verbs(resource: Resource) -> str:
    """What can be done with a kind, in a word."""
    if resource.verbs == READ_VERBS:
        return "read; there are none yet" if resource.stored else "read"
    if resource.group == METRICS_GROUP:
        return "get and list (measured, not stored)"
    return "create (an answer, not stored)" if resource.verbs == CREATE_ONLY else "all"


def kinds() -> list[str]:
    """The table of kinds."""
    lines = ["## Kinds", "", "| kind | version | verbs | subresources |", "|---|---|---|---|"]
    for r in RESOURCES:
        subs = ", ".join(s.name for s in r.subresources)
        lines.append(f"| {r.kind} | {r.api_version} | {verbs(r)} | {subs} |")
    return [
        *lines, "",
        "Kinds that users define (CustomResourceDefinition) are served like these. Other kinds of",
        "Kubernetes are not served: discovery does not list them, and their paths are 404.", "",
    ]  # fmt: skip


def fields_of(resource: Resource) -> list[tuple[str, SchemaNode]]:
    """The fields that a user sets: those of spec, or the top ones where there is no spec."""
    root = schema_of(resource)
    spec = root.child("spec") if "spec" in root.fields else None
    if spec is not None:
        return [(f"spec.{name}", node) for name in spec.fields if (node := spec.child(name))]
    return [(n, node) for n in root.fields if n not in _SKIPPED and (node := root.child(n))]


def mark(resource: Resource, path: str) -> str:
    """How a field is treated."""
    name = resource.resource
    for refused, why in REFUSED.get(name, {}).items():
        if refused == path:
            return f"refused: {why}"
    if path in {"spec.template", "spec.jobTemplate"}:
        return "acted on, as a Pod's"
    found = []
    for entry in UNSUPPORTED.get(name, ()):
        bare = entry.partition("!=")[0].partition("=")[0]
        if bare in {path, "spec"}:
            if bare == entry:
                return "kept"
            found.append(condition(entry))
        elif bare.startswith((f"{path}.", f"{path}[]")):
            found.append(f"`{entry.removeprefix(path).lstrip('.')}`")
    for refused, why in REFUSED.get(name, {}).items():
        if refused.startswith(f"{path}."):
            found.append(f"`{refused.removeprefix(path).lstrip('.')}` (refused: {why})")
    return f"acted on, but for {', '.join(found)}" if found else "acted on"


def condition(entry: str) -> str:
    """A condition on the value, in words."""
    if "!=" in entry:
        values = entry.partition("!=")[2].replace("|", ", ")
        return f"values other than {values}"
    return f"the value `{entry.partition('=')[2]}`"


def page() -> str:
    """The whole page."""
    lines = [HEAD, *kinds()]
    for resource in RESOURCES:
        if resource.verbs in {READ_VERBS, CREATE_ONLY} or resource.stored_as or not resource.stored:
            continue
        rows = [(path, mark(resource, path)) for path, _ in fields_of(resource)]
        if not rows:
            continue
        lines += [f"## {resource.kind} ({resource.api_version})", "", "| field | |", "|---|---|"]
        lines += [f"| `{path}` | {text} |" for path, text in rows]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    if "--check" not in sys.argv:
        PAGE.write_text(page())
    elif PAGE.read_text() != page():
        raise SystemExit(f"{PAGE}: run scripts/lib/compatibility_doc.py")
