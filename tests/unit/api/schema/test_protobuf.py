"""The protobuf decoder: kubectl's own bytes, bytes put together by hand, and laws."""

import base64
import json
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.api.schema.bundle import definitions, name_of_kind, wire_messages
from orchestrator.api.schema.protobuf import decode
from orchestrator.api.schema.strict import check_definition

VECTORS = [
    (row["command"], row["body"], row["document"])
    for row in json.loads(Path(__file__).with_name("protobuf_vectors.json").read_text())
]
"""What kubectl 1.33 sent: (arguments, body as base64, document)."""

law = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def chunk(field: int, data: bytes | str) -> bytes:
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    return b"k8s\0" + chunk(1, chunk(1, api_version) + chunk(2, kind)) + chunk(2, raw)


# ---- kubectl's bytes


@pytest.mark.parametrize(("command", "body", "document"), VECTORS, ids=[v[0] for v in VECTORS])
def test_what_kubectl_sends_is_understood(command, body, document):
    assert decode(base64.b64decode(body)) == document


@pytest.mark.parametrize(("command", "body", "document"), VECTORS[:5], ids=lambda v: str(v)[:20])
def test_every_truncation_is_noticed_or_harmless(command, body, document):
    data = base64.b64decode(body)
    cut_short = 0
    for length in range(4, len(data)):
        try:
            decode(data[:length])
        except ValueError:
            cut_short += 1
    assert cut_short > len(data) - 12  # only whole trailing fields of the envelope can go unseen


# ---- by hand


def deployment(spec: bytes, status: bytes = b"") -> dict:
    return decode(envelope("apps/v1", "Deployment", chunk(2, spec) + chunk(3, status)))


def test_zeros_behind_pointers_stay_and_others_go():
    # DeploymentSpec: replicas = 1 (pointer), minReadySeconds = 5, paused = 7
    assert deployment(number(1, 0) + number(5, 0) + number(7, 0))["spec"] == {"replicas": 0}
    assert deployment(number(5, 3) + number(7, 1))["spec"] == {
        "minReadySeconds": 3, "paused": True,
    }  # fmt: skip


def test_negative_numbers_are_ten_bytes_long():
    assert deployment(number(1, -5))["spec"] == {"replicas": -5}


def test_status_stays_when_it_says_something():
    assert "status" not in deployment(number(1, 1), number(1, 0) + number(2, 0))
    assert deployment(number(1, 1), number(2, 4))["status"] == {"replicas": 4}


def test_embedded_structs_are_flattened():
    volume = chunk(1, "v") + chunk(2, chunk(2, chunk(1, "")))
    handler = chunk(2, chunk(1, "/ready") + chunk(2, number(1, 1) + chunk(3, "http")))
    probe = chunk(1, handler) + number(2, 5)
    source = chunk(1, chunk(1, "names")) + number(2, 0)  # configMapRef.name lies in an embedding
    container = chunk(1, "c") + chunk(11, probe) + chunk(19, chunk(2, source))
    pod = decode(envelope("v1", "Pod", chunk(2, chunk(1, volume) + chunk(2, container))))
    assert pod["spec"] == {
        "volumes": [{"name": "v", "emptyDir": {}}],
        "containers": [
            {
                "name": "c",
                "readinessProbe": {
                    "httpGet": {"path": "/ready", "port": "http"}, "initialDelaySeconds": 5,
                },
                "envFrom": [{"configMapRef": {"name": "names", "optional": False}}],
            }
        ],
    }  # fmt: skip


def test_times_maps_quantities_and_owner_references():
    meta = (
        chunk(1, "p") + chunk(8, b"") + chunk(11, chunk(1, "a") + chunk(2, ""))
        + chunk(9, number(1, 1_700_000_000) + number(2, 999_999_999)) + number(7, 0)
    )  # fmt: skip
    limits = chunk(1, chunk(1, "cpu") + chunk(2, chunk(1, "250m")))
    pod = decode(
        envelope("v1", "Pod", chunk(1, meta) + chunk(2, chunk(2, chunk(1, "c") + chunk(8, limits))))
    )
    assert pod["metadata"] == {
        "name": "p", "labels": {"a": ""}, "deletionTimestamp": "2023-11-14T22:13:20Z",
    }  # fmt: skip
    assert pod["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "250m"}}


def test_micro_times_of_leases_have_six_digits():
    spec = chunk(1, "me") + chunk(4, number(1, 1) + number(2, 123_456_789))
    lease = decode(envelope("coordination.k8s.io/v1", "Lease", chunk(2, spec)))
    assert lease["spec"] == {"holderIdentity": "me", "renewTime": "1970-01-01T00:00:01.123456Z"}


def test_raw_json_is_taken_over():
    raw = chunk(1, '{"spec":{"template":{"$patch":"replace"}}}')
    revision = decode(envelope("apps/v1", "ControllerRevision", chunk(2, raw) + number(3, 7)))
    assert revision["data"] == {"spec": {"template": {"$patch": "replace"}}}
    assert revision["revision"] == 7
    with pytest.raises(ValueError, match="data: holds no JSON"):
        decode(envelope("apps/v1", "ControllerRevision", chunk(2, chunk(1, "{"))))
    deep = chunk(1, "[" * 100_000 + "]" * 100_000)
    with pytest.raises(ValueError, match="data: holds JSON that is nested too deeply"):
        decode(envelope("apps/v1", "ControllerRevision", chunk(2, deep)))


def test_lists_of_strings_may_be_wrapped():
    extra = chunk(1, "scopes") + chunk(2, chunk(1, "a") + chunk(1, "b"))
    info = chunk(1, chunk(1, "alice") + chunk(4, extra))
    review = decode(envelope("authentication.k8s.io/v1", "SelfSubjectReview", chunk(2, info)))
    assert review["status"] == {"userInfo": {"username": "alice", "extra": {"scopes": ["a", "b"]}}}


@pytest.mark.parametrize("api_version", ["v1", "apps/v1", "example.com/v7"])
def test_delete_options_come_under_any_group(api_version):
    raw = number(1, 0) + chunk(2, chunk(1, "uid-1")) + chunk(4, "Background") + chunk(5, "All")
    assert decode(envelope(api_version, "DeleteOptions", raw)) == {
        "apiVersion": api_version, "kind": "DeleteOptions", "gracePeriodSeconds": 0,
        "preconditions": {"uid": "uid-1"}, "propagationPolicy": "Background", "dryRun": ["All"],
    }  # fmt: skip


def test_map_entries_without_a_value_hold_its_zero():
    data = decode(envelope("v1", "ConfigMap", chunk(2, chunk(1, "k")) + chunk(2, b"")))["data"]
    assert data == {"k": "", "": ""}


def test_fields_of_newer_clients_are_dropped_only_when_blank():
    blank = number(900, 0) + chunk(901, b"") + chunk(902, number(1, 0) + chunk(2, number(3, 0)))
    assert deployment(number(1, 2) + blank)["spec"] == {"replicas": 2}
    for told in (number(900, 1), chunk(901, "x"), chunk(902, chunk(1, number(1, 1)))):
        with pytest.raises(ValueError, match=r"Deployment\.spec: field number 90\d is not known"):
            deployment(number(1, 2) + told)


def test_deeply_nested_unknown_content_is_an_error_and_no_crash():
    nested = b""
    for _ in range(5_000):
        nested = chunk(1, nested)
    with pytest.raises(ValueError, match="is not known"):
        deployment(chunk(901, nested))


BAD = [
    (b"", "does not start"),
    (b'{"kind":"Pod"}', "does not start"),
    (b"k8s\0", 'no kind "" is served'),
    (b"k8s\0\xff", "ends inside a number"),
    (b"k8s\0" + b"\xff" * 11, "more than 64 bits"),
    (b"k8s\0" + chunk(1, b"")[:1] + b"\x05", "ends 5 bytes too early"),
    (b"k8s\0" + number(1, 4), "field 1 is a number"),
    (envelope("v1", "Gadget", b""), 'no kind "Gadget" is served in version "v1"'),
    (envelope("apps/v2", "Deployment", b""), 'in version "apps/v2"'),
    (envelope("v1", "Pod", b"") + chunk(3, "gzip"), "content encoding 'gzip'"),
    (envelope("v1", "Pod", b"") + chunk(4, "application/json"), "content of type"),
    (envelope("v1", "Pod", number(2, 1)), r"Pod\.spec: wire type 0 where 2 is expected"),
    (envelope("v1", "Pod", b"\x13"), "wire type 3 where 2 is expected"),
    (envelope("v1", "Pod", b"\xfb\x07"), "wire type 3 is not used"),
    (envelope("v1", "Pod", chunk(1, chunk(1, b"\xff"))), r"Pod\.metadata\.name: not UTF-8"),
    (envelope("v1", "Pod", chunk(1, chunk(9, number(1, 1 << 60)))), "a time out of range"),
    (envelope("v1", "ConfigMap", chunk(2, number(3, 1))), "a map entry holds field 3"),
]


@pytest.mark.parametrize(("data", "message"), BAD, ids=[row[1] for row in BAD])
def test_bad_bodies_say_what_is_wrong(data, message):
    with pytest.raises(ValueError, match=message):
        decode(data)


@law
@given(st.binary(max_size=60))
def test_no_bytes_break_the_decoder(data):
    for body in (b"k8s\0" + data, envelope("v1", "Pod", data), envelope("v1", "Service", data)):
        try:
            document = decode(body)
        except ValueError:
            continue
        assert json.dumps(document)


# ---- laws: an encoder that follows the rows the other way round

SCALAR = {
    "bool": st.booleans(),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "float64": st.floats(allow_nan=False, allow_infinity=False),
    "string": st.sampled_from(["", "a", "web-1", "é"]),
    "bytes": st.binary(max_size=5).map(lambda b: base64.b64encode(b).decode()),
    "quantity": st.sampled_from(["1", "250m", "1Gi"]),
    "time": st.sampled_from(["2024-02-29T23:59:59Z", "1969-12-31T23:59:59Z"]),
    "micro_time": st.sampled_from(["2024-02-29T23:59:59.000001Z"]),
    "int_or_string": st.integers(0, 65535) | st.sampled_from(["http", "25%"]),
    "raw": st.sampled_from([{"f:spec": {}}, {"a": [1, None]}]),
    "strings": st.lists(st.sampled_from(["x", ""]), max_size=2),
}


def flat(definition):
    for row in wire_messages()[definition]:
        if row.base == "inline":
            if row.number:
                yield from flat(row.reference)
        elif row.number:
            yield row


@st.composite
def documents(draw, definition, depth=4):
    rows = [row for row in flat(definition) if depth or row.base != "message"]
    out = {}
    for row in (
        draw(st.lists(st.sampled_from(rows), max_size=4, unique_by=lambda r: r.number))
        if rows
        else []
    ):
        value = documents(row.reference, depth - 1) if row.base == "message" else SCALAR[row.base]
        if row.shape == "[]":
            out[row.json_name] = draw(st.lists(value, min_size=1, max_size=2))
        elif row.shape == "{}":
            out[row.json_name] = draw(
                st.dictionaries(st.sampled_from(["", "k", "k.io/x"]), value, min_size=1)
            )
        else:
            out[row.json_name] = draw(value)
    return out


def seconds_of(text):
    from datetime import UTC, datetime

    moment = datetime.fromisoformat(text)
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return delta.days * 86400 + delta.seconds, delta.microseconds * 1000


def encoded_value(row, field, value):
    match row.base:
        case "bool" | "int32" | "int64":
            return number(field, int(value))
        case "float64":
            return varint(field << 3 | 1) + struct.pack("<d", value)
        case "string":
            return chunk(field, value)
        case "bytes":
            return chunk(field, base64.b64decode(value))
        case "quantity":
            return chunk(field, chunk(1, value))
        case "raw":
            return chunk(field, chunk(1, json.dumps(value)))
        case "time" | "micro_time":
            seconds, nanos = seconds_of(value)
            return chunk(field, number(1, seconds) + number(2, nanos))
        case "int_or_string":
            text = isinstance(value, str)
            integer, string = (0, value) if text else (value, "")
            return chunk(field, number(1, int(text)) + number(2, integer) + chunk(3, string))
        case "strings":
            return chunk(field, b"".join(chunk(1, item) for item in value))
        case _:
            return chunk(field, encoded(row.reference, value))


def encoded(definition, document):
    out = b""
    for row in wire_messages()[definition]:
        if row.base == "inline" and row.number:
            out += chunk(row.number, encoded(row.reference, document))
        value = document.get(row.json_name)
        if not row.number or row.json_name not in document:
            continue
        if row.shape == "[]":
            out += b"".join(encoded_value(row, row.number, item) for item in value)
        elif row.shape == "{}":
            for key, item in value.items():
                out += chunk(row.number, chunk(1, key) + encoded_value(row, 2, item))
        else:
            out += encoded_value(row, row.number, value)
    return out


def without_zeros(definition, document):
    """The document as Go's omitempty leaves it."""
    out = {}
    for row in flat(definition):
        if row.json_name not in document:
            continue
        value = document[row.json_name]
        if row.base == "message":
            trim = lambda item, ref=row.reference: without_zeros(ref, item)  # noqa: E731
            if row.shape == "[]":
                value = [trim(item) for item in value]
            elif row.shape == "{}":
                value = {key: trim(item) for key, item in value.items()}
            else:
                value = trim(value)
        if row.shape or value not in ("", 0, 0.0, False, [], {}):
            out[row.json_name] = value
    return out


KINDS = [
    ("v1", "Pod"), ("v1", "Service"), ("v1", "Node"), ("v1", "Secret"), ("v1", "Event"),
    ("apps/v1", "Deployment"), ("batch/v1", "CronJob"), ("discovery.k8s.io/v1", "EndpointSlice"),
]  # fmt: skip


@law
@given(data=st.data(), kind=st.sampled_from(KINDS))
def test_decoding_turns_encoding_round(data, kind):
    definition = name_of_kind(*kind)
    document = data.draw(documents(definition))
    decoded = decode(envelope(*kind, encoded(definition, document)))
    assert decoded.pop("apiVersion") == kind[0]
    assert decoded.pop("kind") == kind[1]
    assert decoded == without_zeros(definition, document)
    findings = check_definition(definition, decoded)
    assert not findings


def test_every_definition_with_a_kind_can_be_decoded():
    kinds = 0
    for name, schema in definitions().items():
        if "apiextensions" in name:  # kubectl holds no Go types of them; clients send JSON
            continue
        if ".metrics." in name or ".orch." in name:  # they are only read
            continue
        for row in schema.get("x-kubernetes-group-version-kind", ())[:1]:
            version = f"{row['group']}/{row['version']}" if row["group"] else row["version"]
            assert decode(envelope(version, row["kind"], b"")) == {
                "apiVersion": version, "kind": row["kind"],
            }  # fmt: skip
            kinds += 1
    assert kinds > 40
