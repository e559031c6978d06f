"""What Python programs do with custom kinds: the `kubernetes` dynamic client, and a kopf operator.

They run in a virtual environment of their own, which `scripts/test conformance` makes.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow]

PROGRAMS = Path(__file__).parent / "programs"
CLIENTS = Path(os.environ.get("ORCH_TEST_CLIENTS", f"{sys.prefix}/share/clients/bin/python"))
GIZMOS = "gizmos.kopf.example.com"
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": GIZMOS},
    "spec": {
        "group": "kopf.example.com",
        "scope": "Namespaced",
        "names": {"plural": "gizmos", "kind": "Gizmo"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {"type": "object", "properties": {"size": {"type": "integer"}}},
                            "status": {
                                "type": "object",
                                "x-kubernetes-preserve-unknown-fields": True,
                            },
                        },
                    }
                },
                "subresources": {"status": {}},
            }
        ],
    },
}


@pytest.fixture
def clients(server):
    if not CLIENTS.is_file():
        pytest.skip(f"NO PYTHON CLIENTS in {CLIENTS}: run scripts/test conformance")
    return {**os.environ, "KUBECONFIG": str(server.kubeconfig)}


def test_the_dynamic_client(clients, namespace):
    done = subprocess.run(
        [CLIENTS, PROGRAMS / "dynamic_client.py", namespace],
        env=clients, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "fine\n"


def until(check, timeout_s=30.0):
    deadline = time.monotonic() + timeout_s
    while not (found := check()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)
    return found


def test_a_kopf_operator(clients, kubectl, namespace, tmp_path):
    kubectl("apply", "-f", "-", stdin=DEFINITION)
    kubectl("wait", "--for=condition=Established", f"crd/{GIZMOS}", "--timeout=20s")
    gizmo = {
        "apiVersion": "kopf.example.com/v1",
        "kind": "Gizmo",
        "metadata": {"name": "one"},
        "spec": {"size": 3},
    }
    command = [
        CLIENTS, "-m", "kopf", "run", "--standalone", "-n", namespace,
        PROGRAMS / "kopf_operator.py",
    ]  # fmt: skip
    log = tmp_path / "kopf.log"

    def seen(size):
        live = kubectl.get("gizmo", "one", "-n", namespace)
        return live.get("status", {}).get("seen") == size

    with (
        log.open("wb") as out,
        subprocess.Popen(command, env=clients, stdout=out, stderr=subprocess.STDOUT) as operator,
    ):
        try:
            kubectl("create", "-n", namespace, "-f", "-", stdin=gizmo)
            until(lambda: seen(3))
            kubectl(
                "patch", "gizmo", "one", "-n", namespace, "--type=merge", "-p",
                '{"spec":{"size":4}}',
            )  # fmt: skip
            until(lambda: seen(4))
            events = kubectl("get", "events", "-n", namespace).out
            assert "size 3" in events
            kubectl("delete", "gizmo", "one", "-n", namespace, "--timeout=20s")
            until(lambda: "gone one" in log.read_text())
        finally:
            operator.terminate()
            operator.wait(timeout=20)
    kubectl("delete", "crd", GIZMOS, "--timeout=20s")
    assert "Traceback" not in log.read_text()
