"""Runs schemathesis over every OpenAPI document that a server of ours shows about itself.

Every operation has its share of the time; same seed, same requests. There is one object of each
kind to be found (`fuzz/fuzz_objects.py`), and watches are left out (`fuzz/fuzz_hooks.py`). The
status is 1 when an answer was a 5xx, was no JSON, or was not what its document says it is, and when
an operation was not tried.
"""

import argparse
import json
import os
import re
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api_processes import Serving, orch_server
from bench_rounds import conclude
from fuzz.fuzz_objects import objects_of
from platform_rig import BenchmarkError

CHECKS = "not_a_server_error,response_schema_conformance"
TYPES = ",content_type_conformance"
"""Not for version 2: `produces` of a log or an exec does not name the Status of a refusal."""
HOOKS = Path(__file__).parent / "fuzz"
REQUEST_S = 10
LEAST_S = 20.0
"""For one document: a busy machine takes some seconds to the first request."""
FAULT_CHARACTERS = 20_000
_METHODS = frozenset({"get", "put", "post", "patch", "delete"})


@dataclass(frozen=True)
class Tried:
    """What one run of schemathesis came to.

    Attributes:
        operations: that were tried.
        of: that there are.
        requests: that were sent.
        clean: whether no fault was found.
    """

    operations: int
    of: int
    requests: int
    clean: bool


def fetched(server: Serving, path: str, made: Any = None) -> Any:
    """A document of the server; with `made` that is created there, if it is not there yet."""
    context = ssl.create_default_context(cafile=server.ca)
    request = urllib.request.Request(
        f"https://localhost:{server.port}{path}",
        data=None if made is None else json.dumps(made).encode(),
        headers={
            "Authorization": f"Bearer {server.token}",
            "Accept": "application/json",
            "Content-Type": "application/json",
        },
    )
    try:
        with urllib.request.urlopen(request, context=context, timeout=REQUEST_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code != 409:
            raise BenchmarkError(f"{path}: {error.read().decode()}") from error
        return None


def answered(server: Serving) -> str:
    """Shares of the answers by class of code, as the server's metrics say: "2xx 40 %, ..."."""
    context = ssl.create_default_context(cafile=server.ca)
    request = urllib.request.Request(
        f"https://localhost:{server.port}/metrics",
        headers={"Authorization": f"Bearer {server.token}"},
    )
    with urllib.request.urlopen(request, context=context, timeout=REQUEST_S) as answer:
        text = answer.read().decode()
    counts: Counter[str] = Counter()
    for code, count in re.findall(
        r'^apiserver_request_total\{.*?code="(\d)\d\d".*?\} (\S+)$', text, re.MULTILINE
    ):
        counts[f"{code}xx"] += round(float(count))
    whole = max(1, counts.total())
    return ", ".join(f"{name} {100 * n / whole:.0f} %" for name, n in sorted(counts.items()))


def operations_in(document: Path) -> int:
    """How many operations a document has."""
    paths = json.loads(document.read_text())["paths"]
    return sum(1 for item in paths.values() for method in item if method in _METHODS)


def as_kubernetes_answers(document: Any) -> Any:
    """The document with what Kubernetes' own does not say either, though it answers so.

    A DELETE gives the object itself while something still holds it, the eventTime of an Event that
    was not made with one is null, and version 2 calls what may be a number a string.
    """
    for item in document["paths"].values():
        if "delete" not in item or "get" not in item:
            continue
        shown, gone = (item[verb]["responses"]["200"] for verb in ("get", "delete"))
        pairs = [(shown, gone)]
        if "content" in gone:
            pairs = [(shown["content"].get(media), each) for media, each in gone["content"].items()]
        for one, other in pairs:
            if one and "schema" in one and "schema" in other:
                other["schema"] = {"anyOf": [other["schema"], one["schema"]]}
    known = document.get("definitions") or document["components"]["schemas"]
    event = known.get("io.k8s.api.events.v1.Event")
    if event is not None:
        event["properties"]["eventTime"] = {}
    if "definitions" in document:
        known["io.k8s.apimachinery.pkg.util.intstr.IntOrString"] = {}
    return document


def documents(server: Serving, folder: Path) -> list[Path]:
    """The OpenAPI documents of all groups, as files."""
    found = []
    for name, place in sorted(fetched(server, "/openapi/v3")["paths"].items()):
        path = folder / f"{name.replace('/', '_')}.json"
        document = fetched(server, place["serverRelativeURL"])
        path.write_text(json.dumps(as_kubernetes_answers(document)))
        found.append(path)
    path = folder / "v2.json"
    path.write_text(json.dumps(as_kubernetes_answers(fetched(server, "/openapi/v2"))))
    return [*found, path]


def fuzzed(server: Serving, document: Path, examples: int, seconds: float, seed: int) -> Tried:
    """What came of it; faults are printed."""
    began = time.monotonic()
    for path, made in objects_of(json.loads(document.read_text())):
        fetched(server, path, made)
    checks = CHECKS if document.stem == "v2" else CHECKS + TYPES
    command = [
        os.environ["ORCH_SCHEMATHESIS"], "run", str(document),
        "--url", f"https://localhost:{server.port}", "--tls-verify", server.ca,
        "--header", f"Authorization: Bearer {server.token}",
        "--checks", checks, "--phases", "examples,coverage,fuzzing", "--mode", "all",
        "--max-examples", str(examples), "--seed", str(seed), "--no-shrink",
        "--max-time", str(max(1, round(seconds))), "--request-timeout", str(REQUEST_S),
        "--suppress-health-check", "all", "--continue-on-failure", "--warnings", "off",
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds + 120, check=False,
        cwd=document.parent,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "fuzz_hooks", "PYTHONPATH": str(HOOKS)},
    )  # fmt: skip
    took = time.monotonic() - began
    cases = re.search(r"(\d+) generated", done.stdout)
    if cases is None:
        raise BenchmarkError(f"nothing was tried: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    known = re.search(r"Selected: (\d+)/", done.stdout)
    tried = re.search(r"Tested: (\d+)", done.stdout)
    found = Tried(
        int(tried[1]) if tried else 0,
        int(known[1]) if known else operations_in(document),
        int(cases[1]),
        clean=not done.returncode,
    )
    verdict = "ok    " if found.clean else "FAULTS"
    print(
        f"{verdict} {document.stem}: {found.operations} of {found.of} operations, "
        f"{found.requests} requests ({took:.0f} s)",
        flush=True,
    )
    if done.returncode:
        print(done.stdout[-FAULT_CHARACTERS:], done.stderr[-2_000:], flush=True)
    return found


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1200, help="for all documents together")
    parser.add_argument("--examples", type=int, default=10, help="requests for each operation")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same requests")
    parser.add_argument("--only", default="", help="documents whose name has this in it")
    flags = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="orch-fuzz-") as name:
        folder = Path(name)
        with orch_server(folder / "state") as server:
            chosen = [d for d in documents(server, folder) if flags.only in d.stem]
            if not chosen:
                sys.exit(f"no document has {flags.only!r} in its name")
            share = flags.seconds / sum(operations_in(document) for document in chosen)
            done = [
                fuzzed(
                    server,
                    document,
                    flags.examples,
                    max(LEAST_S, share * operations_in(document)),
                    flags.seed,
                )
                for document in chosen
            ]
            codes = answered(server)
    operations, of = sum(one.operations for one in done), sum(one.of for one in done)
    requests, took = sum(one.requests for one in done), time.monotonic() - began
    print(
        f"seed {flags.seed}: {operations} of {of} operations, {requests} requests in {took:.0f} s; "
        f"answers: {codes}"
    )
    if operations < of:
        print("NOT ALL operations were tried: more --seconds", flush=True)
    return operations == of and all(one.clean for one in done)


if __name__ == "__main__":
    conclude(main)
