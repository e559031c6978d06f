"""The page about Kubernetes is made from the tables that the server answers by."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.slow]


def test_the_page_is_up_to_date():
    script = ROOT / "scripts" / "lib" / "compatibility_doc.py"
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False,
        cwd=ROOT, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
