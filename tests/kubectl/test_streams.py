"""Streams into pods."""

import hashlib
import random
import urllib.request

import pytest

from tests.kubectl.manifests import HTTPD, pod

pytestmark = [pytest.mark.docker, pytest.mark.rig, pytest.mark.slow]


@pytest.fixture
def running(kubectl, bench):
    kubectl("apply", "-f", bench.file("p.yaml", pod(script=HTTPD)))
    kubectl("wait", "pod/p", "--for=condition=Ready", "--timeout=30s")
    return kubectl


@pytest.mark.command("`exec`, exit codes, `-i`, `-t`")
def test_exec(running):
    kubectl = running
    assert kubectl("exec", "p", "--", "echo", "hello").out == "hello\n"
    answer = kubectl.run("exec", "p", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (answer.code, answer.out) == (3, "out\n")
    assert "err\n" in answer.err
    assert kubectl("exec", "-i", "p", "--", "cat", stdin="some input").out == "some input"
    assert "not found" in kubectl.fails("exec", "missing", "--", "true")
    assert "nope" in kubectl.fails("exec", "p", "-c", "nope", "--", "true")


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


@pytest.mark.command("`port-forward`")
def test_port_forward(running):
    with running.start("port-forward", "pod/p", ":80") as forward:
        line = forward.stdout.readline()
        port = int(line.split("127.0.0.1:")[1].split(" ")[0])
        for _ in range(3):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                assert answer.read() == b"hello from busybox\n"


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
