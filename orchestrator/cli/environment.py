"""The one place of the command line that reads the process environment.

State directory: `--state-dir`, `$ORCH_STATE_DIR`, /var/lib/orch for root, else
~/.local/share/orch.
"""

import os
from pathlib import Path


def environment(name: str) -> str:
    """The value of an environment variable; "" when unset."""
    return os.environ.get(name, "")  # noqa: TID251  # this is the place


def state_dir(flag: str) -> Path:
    """The state directory that a flag, the environment or the user's rights select."""
    chosen = flag or environment("ORCH_STATE_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/orch")
    return Path("~/.local/share/orch").expanduser()


def variables() -> dict[str, str]:
    """All environment variables, for `${NAME}` references in inventories."""
    return dict(os.environ)  # noqa: TID251  # this is the place
