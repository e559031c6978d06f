"""The demo that scripts/demo runs; see there."""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from load import Load, ask

ROOT = Path(__file__).resolve().parents[2]
NAME = "demo"
BOLD, DIM, GREEN, RED, OFF = (
    ("\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[0m")
    if sys.stdout.isatty()
    else ("", "", "", "", "")
)


class Failed(Exception):
    """A step did not do what it should."""


class Stage:
    """Narrates: what happens, the command that does it, how long it took."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.summary: list[tuple[str, str]] = []
        self._number = 0

    def step(self, text: str) -> None:
        """Announces a step."""
        self._number += 1
        print(f"\n{BOLD}{self._number}. {text}{OFF}", flush=True)

    def run(self, command: str, *, show: bool = True, check: bool = True) -> str:
        """Runs a command, shows it with its output and time; returns standard output."""
        print(f"   {BOLD}$ {command}{OFF}", flush=True)
        begun = time.monotonic()
        process = subprocess.Popen(
            shlex.split(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if show:
                print(f"   {line}", end="", flush=True)
        status = process.wait()
        print(f"   {DIM}({time.monotonic() - begun:.1f} s){OFF}", flush=True)
        if check and status:
            if not show:
                print("".join(lines))
            raise Failed(f"{command!r} ended with status {status}")
        return "".join(lines)

    def note(self, name: str, value: str) -> None:
        """A figure for the closing summary."""
        print(f"   {GREEN}{name}: {value}{OFF}", flush=True)
        self.summary.append((name, value))


def wait_for(what: str, condition: Callable[[], bool], limit_s: float = 60.0) -> float:
    """Polls until true; returns the seconds it took."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > limit_s:
            raise Failed(f"{what}: not within {limit_s:.0f} s")
        time.sleep(0.05)
    return time.monotonic() - begun


def objects(kind: str) -> list[dict]:
    """Objects of a kind as `orch get -o json` gives them."""
    found = subprocess.run(
        ["orch", "get", kind, "-o", "json"], capture_output=True, text=True, check=True
    )
    return json.loads(found.stdout)["items"]


def ready_replicas(pods: list[dict], app: str) -> dict[str, str]:
    """Ready pods of an app that are not being deleted: name to node."""
    found = {}
    for pod in pods:
        meta, status = pod["metadata"], pod.get("status") or {}
        ready = any(
            c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or []
        )
        if meta["labels"].get("app") == app and ready and "deletionTimestamp" not in meta:
            found[meta["name"]] = pod["spec"]["nodeName"]
    return found


def build_images(stage: Stage) -> None:
    stage.step("Build two versions of a small web server")
    with tempfile.TemporaryDirectory() as context:
        for source in (ROOT / "examples/demo-image").iterdir():
            shutil.copy(source, context)
        shutil.copy("/bin/busybox", context)
        for version in ("v1", "v2"):
            stage.run(
                f"docker build -q -t demo/shop:{version} --build-arg VERSION={version} {context}",
                show=False,
            )


def make_hosts(stage: Stage, state: Path) -> Path:
    stage.step("Three hosts: containers, each with its own sshd and Docker Engine")
    stage.run(
        f"orch local up --nodes 3 --name {NAME} --dir {state / 'hosts'} "
        "--image demo/shop:v1 --image demo/shop:v2"
    )
    return state / "hosts" / "inventory.yaml"


def bootstrap(stage: Stage, inventory: Path, ports: tuple[int, int]) -> None:
    stage.step("From the inventory to a platform")
    begun = time.monotonic()
    stage.run(f"orch bootstrap {inventory} --api-port {ports[0]} --lb-port {ports[1]}")
    stage.note("bootstrap of three hosts", f"{time.monotonic() - begun:.1f} s")
    stage.run("orch get nodes -o wide")


def deploy(stage: Stage, lb_port: int) -> None:
    stage.step("Two services")
    begun = time.monotonic()
    stage.run("orch apply -f examples/shop")
    stage.run("orch rollout status deploy/web deploy/api --timeout 120")
    stage.note("from apply to six ready replicas", f"{time.monotonic() - begun:.1f} s")
    stage.run("orch get pods,services -o wide")
    for path, replicas in (("/web/", 4), ("/api/", 2)):
        stage.step(f"Answers through http://127.0.0.1:{lb_port}{path}")
        answers: Counter[str] = Counter()
        wait_for(f"{path} answers", lambda path=path: not ask("127.0.0.1", lb_port, path)[0])
        for _ in range(40):
            problem, body = ask("127.0.0.1", lb_port, path)
            if problem:
                raise Failed(f"{path}: {problem} {body}")
            answers[body] += 1
        for body, count in sorted(answers.items()):
            print(f"   {count:3} x {body}")
        if len(answers) < min(2, replicas):
            raise Failed(f"{path}: answered by {len(answers)} replica only")


def update(stage: Stage, lb_port: int) -> None:
    stage.step("A rolling update to v2, under load")
    manifest = (ROOT / "examples/shop/web.yaml").read_text()
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", prefix="web-v2-") as changed:
        changed.write(manifest.replace("demo/shop:v1", "demo/shop:v2"))
        changed.flush()
        with Load(lb_port, "/web/") as load:
            begun = time.monotonic()
            stage.run(f"orch apply -f {changed.name}")
            stage.run("orch rollout status deploy/web --timeout 120")
            took = time.monotonic() - begun
            wait_for(
                "only v2 answers",
                lambda: (
                    len(objects("pods")) == 6
                    and ask("127.0.0.1", lb_port, "/web/")[1].startswith("web v2")
                ),
            )
    result = load.result
    versions = Counter(body.split()[1] for body in result.answers.elements())
    stage.note(
        "rolling update under load",
        f"{took:.1f} s, {result.requests} requests "
        f"({', '.join(f'{n} {v}' for v, n in sorted(versions.items()))}), "
        f"{len(result.failures)} failed, slowest {result.slowest_s * 1000:.0f} ms",
    )
    if result.failures:
        raise Failed(f"requests failed during the update: {result.failures[:5]}")
    stage.run("orch rollout history deploy/web")


def heal(stage: Stage, lb_port: int) -> None:
    before = ready_replicas(objects("pods"), "web")
    victim = Counter(before.values()).most_common(1)[0][0]
    stage.step(
        f"Host {victim} is killed; it runs {list(before.values()).count(victim)} of 4 replicas"
    )
    with Load(lb_port, "/web/", rate=25.0) as load:
        begun = time.monotonic()
        stage.run(f"orch local fault {NAME} {victim} kill")

        def not_ready() -> bool:
            nodes = {n["metadata"]["name"]: n for n in objects("nodes")}
            conditions = nodes[victim]["status"]["conditions"]
            return any(c["type"] == "Ready" and c["status"] != "True" for c in conditions)

        wait_for(f"{victim} is NotReady", not_ready, 30)
        stage.note("host seen as lost after", f"{time.monotonic() - begun:.1f} s")

        def healed() -> bool:
            now = ready_replicas(objects("pods"), "web")
            return len(now) == 4 and victim not in now.values()

        wait_for("four replicas on the other hosts", healed, 60)
        stage.note("all replicas running elsewhere after", f"{time.monotonic() - begun:.1f} s")
        healed_at = time.monotonic() - begun
    late = [f for f in load.result.failures if f[0] > healed_at]
    stage.note(
        "requests while healing",
        f"{load.result.requests}, {len(load.result.failures)} failed, "
        f"{len(late)} after the service was whole again, "
        f"slowest {load.result.slowest_s * 1000:.0f} ms",
    )
    stage.run("orch get nodes")
    stage.run("orch get pods -o wide")
    stage.step(f"Host {victim} comes back")
    stage.run(f"orch local fault {NAME} {victim} restart")

    def ready() -> bool:
        return all(
            any(c["type"] == "Ready" and c["status"] == "True" for c in n["status"]["conditions"])
            for n in objects("nodes")
        )

    stage.note("host back in service after", f"{wait_for('all hosts are Ready', ready, 90):.1f} s")
    stage.run("orch get nodes")


def clean_up(stage: Stage, inventory: Path, state: Path) -> None:
    stage.step("Clean up")
    stage.run("orch stop --all", check=False, show=False)
    stage.run(f"orch local down {NAME} --dir {inventory.parent}", check=False)
    shutil.rmtree(state, ignore_errors=True)


def keep(state: Path, inventory: Path, ports: tuple[int, int]) -> None:
    print(f"""
{BOLD}Everything keeps running. Go on with:{OFF}
   export ORCH_STATE_DIR={state / "platform"}
   export KUBECONFIG={state / "platform/admin.kubeconfig"}
   kubectl get pods -o wide            (or: orch get pods -o wide)
   curl http://127.0.0.1:{ports[1]}/web/
   https://127.0.0.1:{ports[0]}/docs        (the API's documentation)
{BOLD}and clean up with:{OFF}
   orch reset {inventory} --yes; orch stop --all; orch local down {NAME} --dir {inventory.parent}
   rm -r {state}""")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything running")
    parser.add_argument("--api-port", type=int, default=8080)
    parser.add_argument("--lb-port", type=int, default=8081)
    flags = parser.parse_args()
    ports = (flags.api_port, flags.lb_port)
    state = Path(tempfile.mkdtemp(prefix="orch-demo-"))
    os.environ["ORCH_STATE_DIR"] = str(state / "platform")
    os.environ["KUBECONFIG"] = str(state / "platform" / "admin.kubeconfig")
    stage = Stage()
    inventory = state / "hosts" / "inventory.yaml"
    failure = ""
    try:
        build_images(stage)
        inventory = make_hosts(stage, state)
        bootstrap(stage, inventory, ports)
        deploy(stage, ports[1])
        update(stage, ports[1])
        heal(stage, ports[1])
    except Failed as error:
        failure = str(error)
        print(f"\n{RED}failed: {failure}{OFF}", flush=True)
        log = state / "platform" / "server.log"
        if log.exists():
            print(
                "last lines of the server's log:", *log.read_text().splitlines()[-15:], sep="\n  "
            )
    except KeyboardInterrupt:
        failure = "interrupted"
    if flags.keep:
        keep(state, inventory, ports)
    else:
        clean_up(stage, inventory, state)
    print(f"\n{BOLD}Summary{OFF} ({time.monotonic() - stage.started:.0f} s in all)")
    for name, value in stage.summary:
        print(f"   {name}: {value}")
    print(f"\n{RED}The demo failed: {failure}{OFF}" if failure else f"\n{GREEN}Done.{OFF}")
    return 1 if failure else 0


if __name__ == "__main__":
    raise SystemExit(main())
