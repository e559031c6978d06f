"""kr8s' own test suite, unchanged but for its cluster, the admin's name and the pods' images."""

import os
import re
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.clients.conftest import CLIENTS, NO_CLIENTS, WEB_TAG
from tests.kubectl.manifests import deployment

pytestmark = [pytest.mark.docker, pytest.mark.rig, pytest.mark.slow]

IMAGES = re.compile(
    r"(?<![\w/.-])(nginx:(latest|stable|1\.14\.2)|[\w.]+/google_containers/pause|ubuntu:latest)"
)

EXPECTED: dict[str, str] = {
    "test_api_resources": "counts `pods` once; with the metrics API, as here, they are there twice",
    "test_api_timeout": "wants the server to need more than 10 microseconds",
    "test_lookup_kind": "asks for CSIStorageCapacity, which belongs to storage drivers",
    "test_get_dynamic_plurals[csistoragecapacities.storage.k8s.io]": "the same",
    "test_get_dynamic_plurals[CSIStorageCapacity]": "the same",
    "test_service_proxy": "wants the Service `kubernetes`: pods have no address of the API server",
    "test_cast_to_from_kubernetes": "wants a module that `kubernetes` 37 has no more",
}
"""Tests that may fail, each with the reason."""


@pytest.mark.timeout(1500)
def test_the_suite(served, client_python, tmp_path):
    (sdist,) = CLIENTS.glob("kr8s-*.tar.gz") or pytest.skip(NO_CLIENTS)
    # by tar: Python's own way is safe from 3.11.4 on, and Debian 12 has 3.11.2
    subprocess.run(["tar", "-xzf", sdist, "-C", tmp_path, "--no-same-owner"], check=True)
    (suite,) = tmp_path.glob("kr8s-*")
    (suite / "conftest.py").write_text((Path(__file__).parent / "kr8s_conftest.py").read_text())
    for path in (suite / "kr8s").rglob("*"):
        if path.suffix in {".py", ".yaml"}:
            text = IMAGES.sub(WEB_TAG, path.read_text())
            path.write_text(text.replace('"kubernetes-admin"', '"orch-admin"'))
    system = deployment("coredns")
    system["metadata"]["namespace"] = "kube-system"
    system["spec"]["template"]["metadata"]["labels"]["k8s-app"] = "kube-dns"
    served.kubectl("apply", "-f", "-", stdin=system)
    served.kubectl("rollout", "status", "-n", "kube-system", "deploy/coredns", "--timeout=60s")
    results = tmp_path / "results.xml"
    environment = {
        **os.environ,
        "KUBECONFIG": str(served.state_dir / "admin.kubeconfig"),
        "KUBECTL": str(served.kubectl.binary),
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
    }
    environment.pop("PYTHONPATH", None)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "kubectl").symlink_to(served.kubectl.binary)
    options = [
        "-q",
        "--timeout=150",
        "-p",
        "no:cacheprovider",
        f"--junitxml={results}",
        "-o",
        "addopts=",
        "-o",
        "asyncio_mode=auto",
    ]
    done = subprocess.run(
        [client_python, "-m", "pytest", "kr8s/tests", *options],
        cwd=suite, env=environment, check=False, capture_output=True, text=True, timeout=1400,
    )  # fmt: skip
    failed = {
        case.get("name", ""): (
            case.find("failure") if case.find("failure") is not None else case.find("error")
        )
        for case in ET.parse(results).getroot().iter("testcase")
        if case.find("failure") is not None or case.find("error") is not None
    }
    count = sum(1 for _ in ET.parse(results).getroot().iter("testcase"))
    print(f"{count} tests, {len(failed)} failed; {done.stdout[-300:]}")
    unexpected = {
        name: (e.get("message") or "")[:300] for name, e in failed.items() if name not in EXPECTED
    }
    assert not unexpected, "\n".join(f"{k}: {v}" for k, v in unexpected.items())
    assert count > 100
