"""What schemathesis must know to get further than a refusal.

Most of what it generates ends at a name that is not there or at a kind that is not the path's. So a
share of the requests is led to the objects of `fuzz_objects`, with a body of the right kind; the
others stay as generated. A watch answers with a stream, which no document describes: left out.
What would take the objects away becomes a dry run. Two answers are a 5xx by right, in Kubernetes
too, and are not asked for: of a proxy to what does not run, and of a revision of the future. Same
request, same changes.
"""

import random
from typing import Any

import schemathesis

NAMESPACE = "default"
NAME = "web"
_LED = 0.7
_REMOVES = ("/eviction", "/finalize")


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Changes a request just before it is sent."""
    rng = random.Random(repr((case.method, case.path, case.path_parameters, case.query)))
    if isinstance(case.query, dict):
        case.query.pop("watch", None)
        if str(case.query.get("resourceVersion", "")).isdigit():
            case.query["resourceVersion"] = "0"
    if isinstance(case.path_parameters, dict):
        proxied = "/proxy" in case.path
        for name, known in (("namespace", NAMESPACE), ("name", NAME)):
            if name in case.path_parameters and proxied:
                case.path_parameters[name] = "nowhere"
            elif name in case.path_parameters and rng.random() < _LED:
                case.path_parameters[name] = known
    if rng.random() < _LED:
        _lead_body(case, rng)
    if case.method == "DELETE" or case.path.endswith(_REMOVES):
        query = dict(case.query) if isinstance(case.query, dict) else {}
        case.query = {**query, "dryRun": "All"}


def _lead_body(case: Any, rng: random.Random) -> None:
    raw = case.operation.definition.raw
    kind = raw.get("x-kubernetes-group-version-kind")
    if not isinstance(case.body, dict) or not kind or case.method not in {"POST", "PUT", "PATCH"}:
        return
    if case.method != "PATCH":
        group, version = kind["group"], kind["version"]
        case.body["apiVersion"] = f"{group}/{version}" if group else version
        case.body["kind"] = kind["kind"]
    meta = case.body.get("metadata")
    kept = meta if isinstance(meta, dict) and rng.random() < 0.5 else {}
    name = f"fuzz-{rng.randrange(10**9)}" if case.method == "POST" else NAME
    if case.path_parameters and "name" in case.path_parameters:
        name = case.path_parameters["name"]
    kept = {k: v for k, v in kept.items() if k not in {"namespace", "resourceVersion", "uid"}}
    case.body["metadata"] = {**kept, "name": name}
