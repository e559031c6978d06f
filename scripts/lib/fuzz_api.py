"""Runs schemathesis over every OpenAPI document that a server of ours shows about itself.

Examples and time are bounded, the seed is fixed. Watches are left out (`fuzz/fuzz_hooks.py`). The
status is 1 when an answer was a 5xx, was no JSON, or was not what its document says it is.
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
import urllib.request
from pathlib import Path
from typing import Any

from api_processes import Serving, orch_server
from bench_rounds import conclude
from platform_rig import BenchmarkError

CHECKS = "not_a_server_error,response_schema_conformance"
TYPES = ",content_type_conformance"
"""Not for version 2: `produces` of a log or an exec does not name the Status of a refusal."""
HOOKS = Path(__file__).parent / "fuzz"
SEED = 1
REQUEST_S = 10


def fetched(server: Serving, path: str) -> Any:
    """A document of the server."""
    context = ssl.create_default_context(cafile=server.ca)
    request = urllib.request.Request(
        f"https://localhost:{server.port}{path}",
        headers={"Authorization": f"Bearer {server.token}", "Accept": "application/json"},
    )
    with urllib.request.urlopen(request, context=context, timeout=REQUEST_S) as answer:
        return json.load(answer)


def documents(server: Serving, folder: Path) -> list[Path]:
    """The OpenAPI documents of all groups, as files."""
    found = []
    for name, place in sorted(fetched(server, "/openapi/v3")["paths"].items()):
        path = folder / f"{name.replace('/', '_')}.json"
        path.write_text(json.dumps(fetched(server, place["serverRelativeURL"])))
        found.append(path)
    path = folder / "v2.json"
    path.write_text(json.dumps(fetched(server, "/openapi/v2")))
    return [*found, path]


def fuzzed(server: Serving, document: Path, examples: int, seconds: float) -> bool:
    """Whether nothing was found; what was found is printed."""
    began = time.monotonic()
    checks = CHECKS if document.stem == "v2" else CHECKS + TYPES
    command = [
        os.environ["ORCH_SCHEMATHESIS"], "run", str(document),
        "--url", f"https://localhost:{server.port}", "--tls-verify", server.ca,
        "--header", f"Authorization: Bearer {server.token}",
        "--checks", checks, "--phases", "examples,coverage,fuzzing", "--mode", "all",
        "--max-examples", str(examples), "--seed", str(SEED), "--no-shrink",
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
    verdict = "FAULTS" if done.returncode else "ok    "
    print(f"{verdict} {document.stem}: {cases[1]} requests ({took:.0f} s)", flush=True)
    if done.returncode:
        print(done.stdout[-12_000:], done.stderr[-2_000:], flush=True)
    return not done.returncode


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="for all documents together")
    parser.add_argument("--examples", type=int, default=10, help="requests for each operation")
    parser.add_argument("--only", default="", help="documents whose name has this in it")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="orch-fuzz-") as name:
        folder = Path(name)
        with orch_server(folder / "state") as server:
            chosen = [d for d in documents(server, folder) if flags.only in d.stem]
            if not chosen:
                sys.exit(f"no document has {flags.only!r} in its name")
            share = flags.seconds / len(chosen)
            clean = [fuzzed(server, document, flags.examples, share) for document in chosen]
    return all(clean)


if __name__ == "__main__":
    conclude(main)
