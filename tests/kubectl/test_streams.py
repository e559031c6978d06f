"""Streams into pods."""

import hashlib
import random
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.kubectl.manifests import HTTPD, container, deployment, pod, service

pytestmark = [pytest.mark.docker, pytest.mark.rig, pytest.mark.slow]


@pytest.fixture
def running(kubectl, bench):
    kubectl("apply", "-f", bench.file("p.yaml", pod(script=HTTPD)))
    kubectl("wait", "pod/p", "--for=condition=Ready", "--timeout=30s")
    return kubectl


@pytest.mark.command("`exec`, exit codes, `-i`, `-c`, `exec deploy/x`, many at once")
def test_exec(running, bench):
    kubectl = running
    assert kubectl("exec", "p", "--", "echo", "hello").out == "hello\n"
    answer = kubectl.run("exec", "p", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (answer.code, answer.out) == (3, "out\n")
    assert "err\n" in answer.err
    assert kubectl("exec", "-i", "p", "--", "cat", stdin="some input").out == "some input"
    assert "not found" in kubectl.fails("exec", "missing", "--", "true")
    assert "nope" in kubectl.fails("exec", "p", "-c", "nope", "--", "true")
    assert kubectl("exec", "pod/p", "-c", "c", "--", "echo", "named").out == "named\n"
    kubectl("apply", "-f", bench.file("w.yaml", deployment(replicas=1)))
    kubectl("rollout", "status", "deploy/web", "--timeout=60s")
    assert kubectl("exec", "deploy/web", "--", "hostname").out.startswith("web-")


@pytest.mark.command("ten `exec` at once, each with data both ways")
def test_many_execs(running):
    kubectl = running

    def echo(number):
        text = random.Random(number).randbytes(300_000).hex()
        said = kubectl("exec", "-i", "p", "--", "sh", "-c", "cat; echo on the side >&2", stdin=text)
        return said.out == text, said.err

    with ThreadPoolExecutor(10) as threads:
        assert list(threads.map(echo, range(10))) == [(True, "on the side\n")] * 10


@pytest.mark.command("`cp` both ways")
def test_cp(running, bench):
    kubectl = running
    data = random.Random(1).randbytes(3_000_000)
    (bench.folder / "up").write_bytes(data)
    kubectl("cp", str(bench.folder / "up"), "p:/tmp/up")
    said = kubectl("exec", "p", "--", "sha256sum", "/tmp/up").out
    assert said.split()[0] == hashlib.sha256(data).hexdigest()
    kubectl("cp", "p:/tmp/up", str(bench.folder / "down"))
    assert (bench.folder / "down").read_bytes() == data


def tree(folder: Path) -> dict[str, bytes]:
    """The files below a folder, by name."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.mark.command("`cp` of a tree both ways, `-c`")
def test_cp_tree(kubectl, bench):
    made = pod()
    made["spec"]["containers"].append(container("side"))
    kubectl("apply", "-f", bench.file("p.yaml", made))
    kubectl("wait", "pod/p", "--for=condition=Ready", "--timeout=60s")
    chance, up = random.Random(2), bench.folder / "up"
    for number in range(300):
        file = up / f"d{number % 7}" / f"e {number % 3}" / f"f{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(chance.randbytes(number * 40))
        file.chmod(0o755 if number % 5 == 0 else 0o644)
    (up / "big").write_bytes(chance.randbytes(12_000_000))
    kubectl("cp", str(up), "p:/tmp/there", "-c", "side")
    find = ("exec", "p", "-c", "side", "--", "find", "/tmp/there", "-type", "f")
    assert len(kubectl(*find).lines) == 301
    assert len(kubectl(*find, "-perm", "0755").lines) == 60
    assert kubectl.run("exec", "p", "-c", "c", "--", "test", "-e", "/tmp/there").code == 1
    kubectl("cp", f"{bench.namespace}/p:/tmp/there", str(bench.folder / "down"), "-c", "side")
    assert tree(bench.folder / "down") == tree(up)


def forwarded(forward) -> int:
    """The local port that `port-forward` tells."""
    return int(forward.stdout.readline().split("127.0.0.1:")[1].split(" ")[0])


def fetch(port: int) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
        return answer.read()


@pytest.mark.command("`port-forward` to a pod, a service, a deployment; many connections at once")
def test_port_forward(running, bench):
    kubectl = running
    page = b"hello from busybox\n"
    with kubectl.start("port-forward", "pod/p", ":80") as forward:
        port = forwarded(forward)
        assert [fetch(port) for _ in range(3)] == [page] * 3
        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(fetch, [port] * 24)) == [page] * 24
    kubectl("apply", "-f", bench.file("w.yaml", deployment(replicas=1, script=HTTPD), service()))
    kubectl("rollout", "status", "deploy/web", "--timeout=60s")
    for target, port_word in (("service/web", ":http"), ("deploy/web", ":80")):
        with kubectl.start("port-forward", target, port_word) as forward:
            assert fetch(forwarded(forward)) == page


@pytest.mark.command(
    "`exec`, `attach`, `cp` by the protocol that is not the version's own (SPDY, WebSocket)"
)
@pytest.mark.since(29)
def test_other_protocol(running, bench):
    kubectl = running
    sockets = bench.minor < 30
    kubectl.environment["KUBECTL_REMOTE_COMMAND_WEBSOCKETS"] = str(sockets).lower()
    answer = kubectl.run("exec", "-i", "p", "-v=7", "--", "sh", "-c", "cat; exit 3", stdin="hello")
    assert (answer.code, answer.out) == (3, "hello")
    assert ("POST" not in answer.err) == sockets
    data = random.Random(1).randbytes(2_000_000)
    (bench.folder / "up").write_bytes(data)
    kubectl("cp", str(bench.folder / "up"), "p:/tmp/up")
    kubectl("cp", "p:/tmp/up", str(bench.folder / "down"))
    assert (bench.folder / "down").read_bytes() == data
    with kubectl.typed("exec", "-it", "p", "--", "sh") as screen:
        screen.expect("# ")
        screen.type("echo $((6 * 7)); exit 4\n")
        screen.expect("\n42")
        assert screen.ended() == 4


@pytest.mark.command("`port-forward` by the protocol that is not the version's own")
@pytest.mark.since(30)
def test_other_forwarding(running, bench):
    sockets = bench.minor < 31
    running.environment["KUBECTL_PORT_FORWARD_WEBSOCKETS"] = str(sockets).lower()
    with running.start("port-forward", "pod/p", ":80") as forward:
        port = forwarded(forward)
        with ThreadPoolExecutor(8) as threads:
            assert set(threads.map(fetch, [port] * 24)) == {b"hello from busybox\n"}


@pytest.mark.command("`attach`, `run -i --rm`")
def test_attach(kubectl, bench):
    script = "while read line; do echo got $line; done"
    stdin = {"stdin": True, "stdinOnce": True}
    made = pod(script=script)
    made["spec"]["containers"][0] |= stdin
    made["spec"]["restartPolicy"] = "Never"
    kubectl("apply", "-f", bench.file("p.yaml", made))
    kubectl("wait", "pod/p", "--for=condition=Ready", "--timeout=30s")
    assert "got one" in kubectl("attach", "-i", "p", stdin="one\n").out
    image = "--image=orch-test/busybox:1"
    answer = kubectl("run", "once", "-i", "--rm", "--restart=Never", image, "--", "sh", "-c",
                     "read x; echo said $x", stdin="hello\n")  # fmt: skip
    assert "said hello" in answer.out
    assert "NotFound" in kubectl.fails("get", "pod", "once")
    failed = kubectl.run(
        "run", "bad", "-i", "--rm", "--restart=Never", image, "--", "sh", "-c", "exit 5"
    )
    assert failed.code == 5


@pytest.mark.command("`debug` with an ephemeral container, a copy, a node")
def test_debug(running, bench):
    kubectl = running
    image = "--image=orch-test/busybox:1"
    answer = kubectl("debug", "p", "-i", image, "--target=c", "-c", "dbg", "--",
                     "sh", "-c", "read x; echo said $x; wget -qO- http://127.0.0.1/", stdin="hello\n")  # fmt: skip
    assert "said hello" in answer.out
    assert "hello from busybox" in answer.out
    status = kubectl.get("pod", "p")["status"]["ephemeralContainerStatuses"][0]
    assert (status["name"], status["state"]["terminated"]["exitCode"]) == ("dbg", 0)
    kubectl("debug", "p", image, "--copy-to=q", "-c", "extra", "--", "sleep", "60")
    kubectl("wait", "pod/q", "--for=condition=Ready", "--timeout=30s")
    names = [c["name"] for c in kubectl.get("pod", "q")["spec"]["containers"]]
    assert names == ["c", "extra"]
    said = kubectl("debug", "node/node-1", "-i", image, "--", "ls", "/host/etc/hostname")
    assert "/host/etc/hostname" in said.out


@pytest.mark.command("`proxy`, and the proxy subresources of pods, services, nodes")
def test_proxy(running, bench):
    kubectl = running
    kubectl("expose", "pod", "p", "--port=80")
    base = f"/api/v1/namespaces/{bench.namespace}"
    assert kubectl("get", "--raw", f"{base}/pods/p:80/proxy/").out == "hello from busybox\n"
    assert (
        kubectl("get", "--raw", f"{base}/services/p:80/proxy/index.html").out
        == "hello from busybox\n"
    )
    with kubectl.start("proxy", "--port=0") as proxy:
        port = int(proxy.stdout.readline().rpartition(":")[2])
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{base}/pods/p", timeout=10) as answer:
            assert b'"kind":"Pod"' in answer.read().replace(b" ", b"")
