"""Real kubectl binaries, run as a user would."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.rig.terminal import Terminal, terminal


def _binaries() -> dict[str, Path]:
    """Minor version ("1.33") to binary: the default one first, then others that lie beside it.

    A dispatcher (it runs another binary, by the server's version) is left out in favour of those.
    """
    path = shutil.which("kubectl")
    if path is None:
        return {}
    default = Path(path).resolve()
    # `scripts/conformance` puts further versions into the virtual environment
    folders = (default.parent, Path(sys.prefix) / "share" / "kubectl")
    beside = sorted((p for f in folders for p in f.glob("kubectl.1.*")), key=_minor, reverse=True)
    found = {other.name.removeprefix("kubectl."): other for other in beside}
    out = subprocess.run(
        [default, "version", "--client", "-o", "json"], capture_output=True, text=True, check=True
    )
    version = json.loads(out.stdout)["clientVersion"]
    if found and "dispatcher" in version["gitVersion"]:
        return found
    minor = f"{version['major']}.{re.sub(r'[^0-9]', '', version['minor'])}"
    return {minor: default} | {name: other for name, other in found.items() if name != minor}


def _minor(path: Path) -> int:
    return int(path.name.rpartition(".")[2])


BINARIES = _binaries()
DEFAULT = "1.33" if "1.33" in BINARIES else next(iter(BINARIES), "none")
NO_KUBECTL = "NO KUBECTL FOUND: install one (or run scripts/test conformance); nothing was checked"


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def rows(self) -> list[list[str]]:
        return [re.split(r"\s{2,}", line.strip()) for line in self.lines]


class Kubectl:
    """One kubectl binary with a home and a kubeconfig of its own."""

    def __init__(self, binary: Path, kubeconfig: Path, home: Path) -> None:
        self.binary = binary
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "KUBECONFIG": str(kubeconfig),
        }

    def run(self, *words: str, stdin: str | dict | None = None, timeout: float = 90) -> Answer:
        """Runs it and returns what it said, whatever its exit code.

        The deadline is for what hangs: whoever waits for something says `--timeout=60s`.
        """
        text = json.dumps(stdin) if isinstance(stdin, dict) else stdin
        done = subprocess.run(
            [self.binary, *words],
            input=text if text is not None else "",
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self.environment,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def __call__(self, *words: str, stdin: str | dict | None = None) -> Answer:
        """Runs it; it must succeed."""
        answer = self.run(*words, stdin=stdin)
        assert answer.code == 0, f"kubectl {' '.join(words)}: {answer.out}{answer.err}"
        return answer

    def fails(self, *words: str, stdin: str | dict | None = None) -> str:
        """Runs it; it must fail. Returns what it said on standard error."""
        answer = self.run(*words, stdin=stdin)
        assert answer.code != 0, f"kubectl {' '.join(words)} succeeded: {answer.out}"
        return answer.err

    def get(self, *words: str) -> dict:
        """`kubectl get … -o json`, decoded."""
        return json.loads(self("get", *words, "-o", "json").out)

    def typed(self, *words: str) -> AbstractContextManager[Terminal]:
        """Starts it in a terminal of 40 lines and 100 columns, as a person would."""
        return terminal([self.binary, *words], {**self.environment, "TERM": "xterm"})

    @contextmanager
    def start(self, *words: str) -> Iterator["subprocess.Popen[str]"]:
        """Starts it; the process with its output, killed at the end of the context."""
        with subprocess.Popen(
            [self.binary, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment,
        ) as process:
            try:
                yield process
            finally:
                process.kill()
