import msgspec

from orchestrator.remote.docker import parse

INSPECTED = {
    "Id": "f" * 64,
    "Name": "/web",
    "Created": "2026-01-02T03:04:05.6Z",
    "Image": "sha256:abc",
    "RestartCount": 2,
    "State": {
        "Status": "running",
        "OOMKilled": False,
        "Pid": 42,
        "ExitCode": 0,
        "Error": "",
        "StartedAt": "2026-01-02T03:04:06Z",
        "FinishedAt": "0001-01-01T00:00:00Z",
    },
    "Config": {"Image": "web:1", "Labels": None, "Tty": False},
    "NetworkSettings": {
        "IPAddress": "",
        "Networks": {"bridge": {"IPAddress": "172.17.0.5"}},
        "Ports": {
            "80/tcp": [
                {"HostIp": "0.0.0.0", "HostPort": "20001"},
                {"HostIp": "::", "HostPort": "9"},
            ],
            "443/tcp": None,
        },
    },
    "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "20001"}]}},
    "SomethingNew": [1, 2],
}


def test_a_container() -> None:
    info = parse.to_container(parse.decode(msgspec.json.encode(INSPECTED), parse.ContainerDoc))
    assert (info.name, info.ip, info.labels) == ("web", "172.17.0.5", {})
    assert (info.started_at, info.finished_at) == ("2026-01-02T03:04:06Z", "")
    assert info.ports == {"80/tcp": 20001}
    assert (info.restart_count, info.pid, info.image_id) == (2, 42, "sha256:abc")


def test_ports_of_a_container_that_is_not_started_are_those_asked_for() -> None:
    document = {**INSPECTED, "NetworkSettings": {"Ports": {}}}
    info = parse.to_container(parse.decode(msgspec.json.encode(document), parse.ContainerDoc))
    assert info.ports == {"80/tcp": 20001}
    assert info.ip == ""


def test_an_image_without_names() -> None:
    document = {"Id": "sha256:1", "RepoTags": ["<none>:<none>"], "RepoDigests": None, "Size": 7}
    image = parse.to_image(parse.decode(msgspec.json.encode(document), parse.ImageDoc))
    assert (image.repo_tags, image.repo_digests, image.size_bytes) == ((), (), 7)


def test_an_events_action_is_its_first_word() -> None:
    document = {
        "Type": "container",
        "Action": "exec_start: sh -c true",
        "Actor": {"ID": "abc", "Attributes": {"name": "x"}},
        "timeNano": 5,
    }
    event = parse.to_event(parse.decode(msgspec.json.encode(document), parse.EventDoc))
    assert (event.action, event.id, event.time_ns) == ("exec_start", "abc", 5)
