"""Small programs with each client library, as their users write them."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("with_*.py"))

pytestmark = [pytest.mark.docker, pytest.mark.rig, pytest.mark.slow]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_program(served, client_python, script):
    namespace = script.stem.replace("_", "-")
    served.kubectl("create", "namespace", namespace)
    environment = {**os.environ, "KUBECONFIG": str(served.state_dir / "admin.kubeconfig")}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [client_python, script, namespace], env=environment, check=False, capture_output=True,
        text=True, timeout=200,
    )  # fmt: skip
    served.kubectl.run("delete", "namespace", namespace, "--wait=false")
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr[-3000:]
