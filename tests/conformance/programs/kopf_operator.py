"""A kopf operator: writes what it has seen of a Gizmo into its status, and cleans up after it.

kopf keeps its own notes in annotations, holds objects by a finalizer, posts Events, and watches.
"""

import kopf

GROUP = "kopf.example.com"


@kopf.on.create(GROUP, "v1", "gizmos")
def made(spec, patch, body, **_):
    kopf.info(body, reason="Seen", message=f"size {spec['size']}")
    patch.status["seen"] = spec["size"]


@kopf.on.update(GROUP, "v1", "gizmos", field="spec.size")
def changed(new, patch, **_):
    patch.status["seen"] = new


@kopf.on.delete(GROUP, "v1", "gizmos")
def gone(name, **_):
    print(f"gone {name}", flush=True)
