"""Builds the shim's zip out of the `agentshim` package: the same sources give the same bytes.

Nothing is compressed, times are fixed, names are sorted; the name of the zip is its content hash,
which is how a server knows whether the shim on a host is its own.
"""

import hashlib
import io
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

LAUNCHER: Final = "launcher.py"
"""Sent as text, not in the zip: it is what brings the zip."""

_MAIN: Final = "import sys\nfrom agentshim.main import main\n\nsys.exit(main(sys.argv[1:]))\n"
_TIME: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class ShimBuild:
    """The shim as it is pushed.

    Attributes:
        data: the zip.
        digest: its SHA-256, in hex.
        launcher: source of the program that starts it.
    """

    data: bytes
    digest: str
    launcher: str


@cache
def build_shim() -> ShimBuild:
    """Builds it once per process."""
    sources = {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in resources.files("agentshim").iterdir()
        if entry.name.endswith(".py")
    }
    launcher = sources.pop(LAUNCHER)
    files = {f"agentshim/{name}": text for name, text in sources.items()}
    files["__main__.py"] = _MAIN
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _TIME)
            info.external_attr = 0o600 << 16
            info.create_system = 3
            archive.writestr(info, files[name])
    data = buffer.getvalue()
    return ShimBuild(data=data, digest=hashlib.sha256(data).hexdigest(), launcher=launcher)
