"""The Engine's JSON turned into the seam's values (pure).

Only the fields that we use are decoded; the rest is skipped without being built.
Source: Docker Engine API 1.40 to 1.47.
"""

from typing import Any

import msgspec

from orchestrator.remote.seams import ContainerInfo, EngineEvent, EngineInfo, ImageInfo


class _Pascal(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    pass


class VersionDoc(_Pascal, frozen=True):
    """`GET /version`."""

    version: str = ""
    api_version: str = ""
    min_a_p_i_version: str = msgspec.field(name="MinAPIVersion", default="")


class InfoDoc(_Pascal, frozen=True):
    """`GET /info`."""

    name: str = ""
    operating_system: str = ""
    kernel_version: str = ""
    architecture: str = ""
    cpus: int = msgspec.field(name="NCPU", default=0)
    mem_total: int = 0
    docker_root_dir: str = ""
    cgroup_version: str = "1"
    driver: str = ""


class _ImageConfig(_Pascal, frozen=True):
    user: str | None = ""


class ImageDoc(_Pascal, frozen=True):
    """`GET /images/{name}/json`, and an item of `GET /images/json`."""

    id: str
    repo_tags: list[str] | None = None
    repo_digests: list[str] | None = None
    size: int = 0
    config: _ImageConfig | None = None


class _State(_Pascal, frozen=True):
    status: str = ""
    o_o_m_killed: bool = msgspec.field(name="OOMKilled", default=False)
    pid: int = 0
    exit_code: int = 0
    error: str = ""
    started_at: str = ""
    finished_at: str = ""


class _ContainerConfig(_Pascal, frozen=True):
    image: str = ""
    labels: dict[str, str] | None = None
    tty: bool = False


class _Binding(_Pascal, frozen=True):
    host_port: str | None = ""


class _Endpoint(_Pascal, frozen=True):
    i_p_address: str | None = msgspec.field(name="IPAddress", default="")


class _Network(_Pascal, frozen=True):
    i_p_address: str | None = msgspec.field(name="IPAddress", default="")
    networks: dict[str, _Endpoint | None] | None = None
    ports: dict[str, list[_Binding] | None] | None = None


class _HostConfig(_Pascal, frozen=True):
    port_bindings: dict[str, list[_Binding] | None] | None = None


class ContainerDoc(_Pascal, frozen=True):
    """`GET /containers/{id}/json`."""

    id: str
    name: str = ""
    created: str = ""
    image: str = ""
    restart_count: int = 0
    state: _State = msgspec.field(default_factory=_State)
    config: _ContainerConfig = msgspec.field(default_factory=_ContainerConfig)
    network_settings: _Network = msgspec.field(default_factory=_Network)
    host_config: _HostConfig = msgspec.field(default_factory=_HostConfig)


class _Actor(_Pascal, frozen=True):
    id: str = msgspec.field(name="ID", default="")
    attributes: dict[str, str] | None = None


class EventDoc(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `GET /events`."""

    type: str = msgspec.field(name="Type", default="")
    action: str = msgspec.field(name="Action", default="")
    actor: _Actor = msgspec.field(name="Actor", default_factory=_Actor)
    time_ns: int = msgspec.field(name="timeNano", default=0)


class _ErrorDetail(msgspec.Struct, frozen=True, kw_only=True):
    message: str = ""


class PullLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `POST /images/create`."""

    status: str = ""
    error: str = ""
    error_detail: _ErrorDetail | None = msgspec.field(name="errorDetail", default=None)


class _VolumeDoc(_Pascal, frozen=True):
    name: str = ""
    labels: dict[str, str] | None = None


class VolumesDoc(_Pascal, frozen=True):
    """`GET /volumes`."""

    volumes: list[_VolumeDoc] | None = None


class IdDoc(_Pascal, frozen=True):
    """What creates answer: the new object's id."""

    id: str = ""


class ExecDoc(_Pascal, frozen=True):
    """`GET /exec/{id}/json`."""

    running: bool = False
    exit_code: int | None = None


class WaitDoc(_Pascal, frozen=True):
    """`POST /containers/{id}/wait`."""

    status_code: int = 0


class ErrorDoc(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every error answer."""

    message: str = ""


def to_info(info: InfoDoc, version: VersionDoc) -> EngineInfo:
    """The engine's facts."""
    return EngineInfo(
        name=info.name,
        server_version=version.version,
        api_version=version.api_version,
        operating_system=info.operating_system,
        kernel_version=info.kernel_version,
        architecture=info.architecture,
        cpus=info.cpus,
        memory_bytes=info.mem_total,
        root_dir=info.docker_root_dir,
        cgroup_version=info.cgroup_version,
        storage_driver=info.driver,
    )


def to_image(doc: ImageDoc) -> ImageInfo:
    """An image; tags and digests of the form `<none>` are left out."""
    return ImageInfo(
        id=doc.id,
        repo_tags=tuple(t for t in doc.repo_tags or () if not t.startswith("<none>")),
        repo_digests=tuple(d for d in doc.repo_digests or () if not d.startswith("<none>")),
        size_bytes=doc.size,
        user=(doc.config.user or "") if doc.config else "",
    )


def to_container(doc: ContainerDoc) -> ContainerInfo:
    """A container. Times that the engine writes as year 1 become ""."""
    network = doc.network_settings
    addresses = [network.i_p_address or ""]
    addresses += [e.i_p_address or "" for e in (network.networks or {}).values() if e]
    return ContainerInfo(
        id=doc.id,
        name=doc.name.lstrip("/"),
        labels=doc.config.labels or {},
        image=doc.config.image,
        image_id=doc.image,
        state=doc.state.status,
        exit_code=doc.state.exit_code,
        oom_killed=doc.state.o_o_m_killed,
        error=doc.state.error,
        started_at=_time(doc.state.started_at),
        finished_at=_time(doc.state.finished_at),
        created_at=doc.created,
        restart_count=doc.restart_count,
        pid=doc.state.pid,
        ip=next((a for a in addresses if a), ""),
        ports=_ports(network.ports) or _ports(doc.host_config.port_bindings),
        tty=doc.config.tty,
    )


def to_event(doc: EventDoc) -> EngineEvent:
    """An event. Of `exec_start: cmd` and the like only the word before the colon is kept."""
    return EngineEvent(
        type=doc.type,
        action=doc.action.partition(":")[0],
        id=doc.actor.id,
        attributes=doc.actor.attributes or {},
        time_ns=doc.time_ns,
    )


def decode(data: bytes, kind: Any) -> Any:
    """Decodes an answer; raises msgspec.MsgspecError when it is not one."""
    return msgspec.json.decode(data, type=kind)


def _time(text: str) -> str:
    return "" if text.startswith("0001-") else text


def _ports(bindings: dict[str, list[_Binding] | None] | None) -> dict[str, int]:
    found: dict[str, int] = {}
    for port, hosts in (bindings or {}).items():
        for binding in hosts or ():
            if (binding.host_port or "").isdigit() and int(binding.host_port or 0):
                found.setdefault(port, int(binding.host_port or 0))
    return found
