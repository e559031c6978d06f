"""One platform for the whole run; each test has a kubectl, a namespace and a home of its own."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tests.kubectl.table import ABSENT, Cell, Results
from tests.rig.cluster import new_rig, rig, shared_rig, worker_suffix  # noqa: F401
from tests.rig.images import ensure_busybox
from tests.rig.kubectl import BINARIES, DEFAULT, Kubectl
from tests.rig.served import Platform, start_platform, stop_platform

HERE = Path(__file__).parent
RESULTS = Results()
"""Of this run; its hooks are called without anything that could carry it."""


def pytest_addoption(parser):
    group = parser.getgroup("kubectl")
    group.addoption(
        "--kubectl", default=DEFAULT, metavar="VERSIONS", help='"all", or minor versions: 1.27,1.33'
    )
    group.addoption("--write-table", type=Path, help="table whose columns are renewed")


def pytest_configure(config):
    config.addinivalue_line("markers", "command(text): the kubectl commands that the test is about")
    config.addinivalue_line("markers", "since(minor): the command is not in older kubectl versions")


def pytest_generate_tests(metafunc):
    if "version" in metafunc.fixturenames:
        metafunc.parametrize("version", _versions(metafunc.config), scope="session")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(HERE):  # several rollouts, on machines that have more to do
            item.add_marker(pytest.mark.timeout(400))
            _leave_out_what_is_newer(item)


def _leave_out_what_is_newer(item) -> None:
    since = item.get_closest_marker("since")
    if since is not None and _number(item.callspec.params["version"]) < (1, since.args[0]):
        item.add_marker(pytest.mark.skip(f"{ABSENT}: kubectl has it from 1.{since.args[0]} on"))


def _versions(config) -> list[str]:
    words = config.getoption("--kubectl")
    names = sorted(BINARIES, key=_number) if words == "all" else words.split(",")
    missing = [name for name in names if name not in BINARIES and name != "none"]
    if missing:
        raise pytest.UsageError(f"no kubectl {', '.join(missing)}; found: {', '.join(BINARIES)}")
    return names


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    marker = item.get_closest_marker("command")
    version = getattr(item, "callspec", None) and item.callspec.params.get("version")
    if marker is not None and version:
        group = (item.module.__doc__ or "").partition(".")[0]
        cell = [group, marker.args[0], version, *item.location[:2]]
        report.user_properties.append(("cell", cell))  # goes from a worker to whom it works for


def pytest_runtest_logreport(report):
    for name, value in report.user_properties:
        if name == "cell":
            group, command, version, *place = value
            RESULTS.note(Cell(group, command, version, tuple(place)), report)


def pytest_terminal_summary(terminalreporter, config):
    path = config.getoption("--write-table")
    if path is None or hasattr(config, "workerinput"):
        return  # a worker knows of its own tests only
    versions = sorted(BINARIES, key=_number)
    if path.is_file():
        others = [version for version in versions if version not in _versions(config)]
        RESULTS.keep(path.read_text(), others)
    if missing := RESULTS.missing(versions):
        terminalreporter.write_line(f"{path} is left as it is; not tried: {'; '.join(missing)}")
    else:
        path.write_text(RESULTS.page(versions))
        terminalreporter.write_line(f"wrote {path}")


@pytest.fixture(scope="session")
def served(shared_rig, tmp_path_factory) -> Iterator[Platform]:  # noqa: F811
    """Three hosts with the busybox image, and a server."""
    shared_rig.mend()
    shared_rig.clean()
    image = ensure_busybox()
    shared_rig.client.images.get(image).tag("orch-test/busybox", "2")
    shared_rig.seed(image, "orch-test/busybox:2")
    made = start_platform(shared_rig, tmp_path_factory.mktemp("platform"))
    yield made
    stop_platform(made)


@dataclass(frozen=True)
class Bench:
    """What a test works with.

    Attributes:
        served: the platform.
        namespace: of the test, which `kubectl` uses by default.
        version: of kubectl: "1.33".
        folder: for files.
        used: objects outside the namespace, removed afterwards.
    """

    served: Platform
    namespace: str
    version: str
    folder: Path
    used: list[str] = field(default_factory=list)

    @property
    def minor(self) -> int:
        """33 of 1.33."""
        return int(self.version.partition(".")[2])

    def file(self, name: str, *documents: dict) -> str:
        """Writes a manifest and returns its path."""
        path = self.folder / name
        path.write_text(yaml.safe_dump_all(documents))
        return str(path)


@pytest.fixture
def bench(request, served, version, tmp_path) -> Iterator[Bench]:
    admin = Kubectl(
        BINARIES[version], served.state_dir / "admin.kubeconfig", served.kubectl_home(version)
    )
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower().removeprefix("test-"))[:50].strip(
        "-"
    )
    admin("create", "namespace", name)
    made = Bench(served, name, version, tmp_path)
    yield made
    for thing in made.used:
        admin.run("delete", *thing.split(), "--wait=false")
    admin.run("delete", "pods", "-n", name, "--all", "--grace-period=0", "--force", "--wait=false")
    admin("delete", "namespace", name, "--wait=false")


@pytest.fixture
def kubectl(bench, served, version, tmp_path) -> Kubectl:
    """kubectl of the version, in the test's namespace."""
    config = yaml.safe_load((served.state_dir / "admin.kubeconfig").read_text())
    for context in config["contexts"]:
        context["context"]["namespace"] = bench.namespace
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    home = tmp_path / "home"
    cached = served.kubectl_home(version) / ".kube"
    home.mkdir()
    if cached.is_dir():  # discovery's cache: a run without it is a test of its own
        shutil.copytree(cached, home / ".kube")
    return Kubectl(BINARIES[version], path, home)
