"""Describes a Pod and a pod template."""

from typing import Any

from orchestrator.cli.describe.page import Page, conditions, heading


def describe_pod(page: Page, pod: dict[str, Any]) -> None:
    """Everything about a pod but its events."""
    spec, status = pod["spec"], pod.get("status") or {}
    heading(page, pod)
    node = spec.get("nodeName")
    page.field("Node", f"{node}/{status.get('hostIP', '')}" if node else None)
    if status.get("startTime"):
        page.field("Start Time", status["startTime"])
    if pod["metadata"].get("deletionTimestamp"):
        page.field("Status", f"Terminating (since {pod['metadata']['deletionTimestamp']})")
        page.field(
            "Termination Grace Period", f"{pod['metadata'].get('deletionGracePeriodSeconds')}s"
        )
    else:
        page.field("Status", status.get("phase"))
    for name in ("reason", "message"):
        if status.get(name):
            page.field(name.capitalize(), status[name])
    page.field("IP", status.get("podIP"))
    owner = next(
        (o for o in pod["metadata"].get("ownerReferences") or [] if o.get("controller")), None
    )
    if owner:
        page.field("Controlled By", f"{owner['kind']}/{owner['name']}")
    if spec.get("initContainers"):
        page.title("Init Containers")
        containers(page, spec["initContainers"], status.get("initContainerStatuses"))
    page.title("Containers")
    containers(page, spec["containers"], status.get("containerStatuses"))
    conditions(page, status.get("conditions"))
    volumes(page, spec.get("volumes"))
    if status.get("qosClass"):
        page.field("QoS Class", status["qosClass"])
    page.mapping("Node-Selectors", spec.get("nodeSelector"))
    tolerations = [_toleration(t) for t in spec.get("tolerations") or []]
    page.field("Tolerations", ", ".join(tolerations))


def _toleration(toleration: dict[str, Any]) -> str:
    text = str(toleration.get("key", ""))
    if toleration.get("value"):
        text += f"={toleration['value']}"
    if toleration.get("effect"):
        text += f":{toleration['effect']}"
    if toleration.get("operator") == "Exists":
        text += " op=Exists"
    if toleration.get("tolerationSeconds") is not None:
        text += f" for {toleration['tolerationSeconds']}s"
    return text.strip()


def template(page: Page, document: dict[str, Any]) -> None:
    """A workload's pod template."""
    page.title("Pod Template")
    page.mapping("Labels", (document.get("metadata") or {}).get("labels"), 1)
    annotations = (document.get("metadata") or {}).get("annotations")
    if annotations:
        page.mapping("Annotations", annotations, 1)
    spec = document["spec"]
    if spec.get("initContainers"):
        page.title("Init Containers", 1)
        containers(page, spec["initContainers"], None, 2)
    page.title("Containers", 1)
    containers(page, spec["containers"], None, 2)
    volumes(page, spec.get("volumes"), 1)


def containers(
    page: Page,
    specs: list[dict[str, Any]],
    statuses: list[dict[str, Any]] | None,
    level: int = 1,
) -> None:
    """The containers of a pod or of a template (no statuses)."""
    known = {s["name"]: s for s in statuses or []}
    for spec in specs:
        status = known.get(spec["name"])
        page.title(spec["name"], level)
        inner = level + 1
        if status and status.get("containerID"):
            page.field("Container ID", status["containerID"], inner)
        page.field("Image", spec.get("image"), inner)
        if status and status.get("imageID"):
            page.field("Image ID", status["imageID"], inner)
        ports = spec.get("ports") or []
        if ports:
            text = ", ".join(f"{p['containerPort']}/{p.get('protocol', 'TCP')}" for p in ports)
            page.field("Port" if len(ports) == 1 else "Ports", text, inner)
        for key in ("command", "args"):
            if spec.get(key):
                page.field(key.capitalize(), " ".join(map(str, spec[key])), inner)
        if status:
            _state(page, "State", status.get("state") or {}, inner)
            if status.get("lastState"):
                _state(page, "Last State", status["lastState"], inner)
            page.field("Ready", status.get("ready", False), inner)
            page.field("Restart Count", status.get("restartCount", 0), inner)
        _settings(page, spec, inner)


def _settings(page: Page, spec: dict[str, Any], level: int) -> None:
    resources = spec.get("resources") or {}
    for key in ("limits", "requests"):
        if resources.get(key):
            page.title(key.capitalize(), level)
            for name, quantity in sorted(resources[key].items()):
                page.field(name, quantity, level + 1)
    for key in ("liveness", "readiness", "startup"):
        probe = spec.get(f"{key}Probe")
        if probe:
            page.field(key.capitalize(), describe_probe(probe), level)
    _environment(page, spec, level)
    mounts = spec.get("volumeMounts") or []
    if mounts:
        page.title("Mounts", level)
        for mount in mounts:
            mode = "ro" if mount.get("readOnly") else "rw"
            page.line(f"{mount['mountPath']} from {mount['name']} ({mode})", level + 1)


def _state(page: Page, name: str, state: dict[str, Any], level: int) -> None:
    for kind in ("running", "waiting", "terminated"):
        detail = state.get(kind)
        if detail is None:
            continue
        page.field(name, kind.capitalize(), level)
        rows = (
            ("Reason", "reason"),
            ("Message", "message"),
            ("Exit Code", "exitCode"),
            ("Started", "startedAt"),
            ("Finished", "finishedAt"),
        )
        for title, key in rows:
            if detail.get(key) not in (None, ""):
                page.field(title, detail[key], level + 1)


def _environment(page: Page, spec: dict[str, Any], level: int) -> None:
    sources = []
    for source in spec.get("envFrom") or []:
        for kind, key in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
            if source.get(key):
                optional = source[key].get("optional", False)
                sources.append(f"{source[key]['name']}  {kind}  Optional: {optional}")
    if sources:
        page.title("Environment Variables from", level)
        for text in sources:
            page.line(text, level + 1)
    if not spec.get("env"):
        page.field("Environment", None, level)
        return
    page.title("Environment", level)
    for variable in spec["env"]:
        page.field(variable["name"], _variable(variable), level + 1)


def _variable(variable: dict[str, Any]) -> str:
    source = variable.get("valueFrom")
    if not source:
        return str(variable.get("value", ""))
    if source.get("fieldRef"):
        return f"({source['fieldRef'].get('fieldPath')})"
    if source.get("resourceFieldRef"):
        return f"({source['resourceFieldRef'].get('resource')})"
    for kind, key in (("config map", "configMapKeyRef"), ("secret", "secretKeyRef")):
        if source.get(key):
            return f"<set to the key '{source[key].get('key')}' of {kind} '{source[key]['name']}'>"
    return "<unknown>"


def describe_probe(probe: dict[str, Any]) -> str:
    """Kubectl's one line for a probe."""
    if probe.get("exec"):
        what = f"exec {probe['exec'].get('command')}"
    elif probe.get("httpGet"):
        get = probe["httpGet"]
        scheme = str(get.get("scheme", "HTTP")).lower()
        what = f"http-get {scheme}://{get.get('host', '')}:{get.get('port')}{get.get('path', '/')}"
    elif probe.get("tcpSocket"):
        what = f"tcp-socket {probe['tcpSocket'].get('host', '')}:{probe['tcpSocket'].get('port')}"
    else:
        what = f"grpc <pod>:{(probe.get('grpc') or {}).get('port')}"
    return (
        f"{what} delay={probe.get('initialDelaySeconds', 0)}s "
        f"timeout={probe.get('timeoutSeconds', 1)}s period={probe.get('periodSeconds', 10)}s "
        f"#success={probe.get('successThreshold', 1)} #failure={probe.get('failureThreshold', 3)}"
    )


def volumes(page: Page, found: list[dict[str, Any]] | None, level: int = 0) -> None:
    """The Volumes section."""
    if not found:
        page.field("Volumes", None, level)
        return
    page.title("Volumes", level)
    for volume in found:
        page.title(volume["name"], level + 1)
        for key, value in volume.items():
            if key == "name":
                continue
            page.field("Type", key[0].upper() + key[1:], level + 2)
            for name, detail in (value or {}).items():
                page.field(name[0].upper() + name[1:], detail, level + 2)
