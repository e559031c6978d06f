"""exec, attach, cp and port-forward on real hosts, by kubectl of SPDY and of WebSockets."""

import hashlib
import http.client
import os
import pty
import re
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.rig.images import BUSYBOX_TAG, ensure_busybox
from tests.rig.kubectl import BINARIES, Kubectl
from tests.rig.served import free_port
from tests.rig.watching import until

pytestmark = [pytest.mark.docker, pytest.mark.rig]

FOREVER = "trap 'exit 0' TERM; httpd -p 8080 -h /www; while :; do sleep 0.1; done"
VERSIONS = [v for v in BINARIES if v in {"1.27", "1.29", "1.30", "1.31", "1.33"}] or [*BINARIES]
BIG_BYTES = 200 << 20


@pytest.fixture(scope="module")
def web(platform):
    """A pod that serves HTTP on 8080 and waits for commands."""
    platform.rig.seed(ensure_busybox())
    run(platform.kubectl, "web", FOREVER)
    platform.kubectl("wait", "pod/web", "--for=condition=Ready", "--timeout=30s")
    return "web"


@pytest.fixture(params=VERSIONS)
def kubectl(request, platform, tmp_path):
    environment = platform.kubectl.environment
    return Kubectl(BINARIES[request.param], Path(environment["KUBECONFIG"]), tmp_path)


@pytest.fixture
def newest(platform):
    return platform.kubectl


def run(kubectl, name, script, *options):
    image = f"--image={BUSYBOX_TAG}"
    return kubectl("run", name, image, "--restart=Never", *options, "--command", "--", "sh", "-c",
                   script)  # fmt: skip


@contextmanager
def piped(kubectl, *words):
    """kubectl with binary pipes; killed at the end."""
    with subprocess.Popen(
        [kubectl.binary, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=kubectl.environment,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def on_a_terminal(kubectl, *words, typed=b"", rows=33, columns=77):
    """Runs kubectl on a terminal; what it showed, and its exit code."""
    outer, inner = pty.openpty()
    subprocess.run(["stty", "rows", str(rows), "cols", str(columns)], stdin=inner, check=True)
    process = subprocess.Popen(
        [kubectl.binary, *words], stdin=inner, stdout=inner, stderr=inner,
        env=kubectl.environment, start_new_session=True,
    )  # fmt: skip
    os.close(inner)
    shown = b""
    try:
        while True:
            try:
                data = os.read(outer, 4096)
            except OSError:
                break
            shown += data
            if typed and b"type now" in shown:
                os.write(outer, typed)
                typed = b""
        return shown.decode(errors="replace"), process.wait(30)
    finally:
        process.kill()
        os.close(outer)


def open_streams(platform, resource):
    text = platform.kubectl("get", "--raw", "/metrics").out
    found = re.findall(
        rf'apiserver_longrunning_requests{{resource="{resource}",verb="CONNECT"}} ([0-9.]+)', text
    )
    return int(float(found[0])) if found else 0


def rss_bytes(platform):
    status = Path(f"/proc/{platform.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


# ---------------------------------------------------------------- exec


def test_outputs_and_exit_codes(kubectl, web):
    answer = kubectl.run("exec", web, "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (answer.code, answer.out) == (3, "out\n")
    assert answer.err.startswith("err\n")
    assert "command terminated with exit code 3" in answer.err
    assert kubectl("exec", web, "--", "true").out == ""


def test_input_is_passed_on_and_its_end_is_seen(kubectl, web):
    answer = kubectl("exec", "-i", web, "--", "sh", "-c", "cat; echo ended", stdin="one\ntwo\n")
    assert answer.out == "one\ntwo\nended\n"


def test_terminal_has_the_clients_size_and_exit_code(kubectl, web):
    script = "sleep 0.3; stty size; echo type now; read x; echo got $x; exit 4"
    shown, code = on_a_terminal(
        kubectl, "exec", "-it", web, "--", "sh", "-c", script, typed=b"hello\r"
    )
    assert "33 77" in shown
    assert "got hello" in shown
    assert code == 4


def test_what_kubectl_says_of_wrong_requests(kubectl, web):
    assert kubectl.fails("exec", web, "-c", "none", "--", "true").endswith(
        "container none is not valid for pod web\n"
    )
    assert 'pods "none" not found' in kubectl.fails("exec", "none", "--", "true")


def test_commands_of_a_pod_that_waits(kubectl, newest, web):
    name = f"waits-{kubectl.binary.name.replace('.', '-')}"
    newest("run", name, "--image=orch-test/no-such:1", "--image-pull-policy=Never")
    until(
        "it waits with a reason",
        lambda: "ErrImageNeverPull" in newest("get", "pod", name, "-o", "json").out,
    )
    assert f'container not found ("{name}"): it is waiting to start: ErrImageNeverPull' in (
        kubectl.fails("exec", name, "--", "true")
    )
    newest("delete", "pod", name, "--now")


def test_large_files_both_ways(kubectl, web, platform):
    piece = os.urandom(1 << 20)
    sent = hashlib.sha256()
    before = 0
    with piped(kubectl, "exec", "-i", web, "--", "sh", "-c", "cat >/tmp/big") as up:
        for number in range(BIG_BYTES >> 20):
            if number == BIG_BYTES >> 22:  # by now a young server has loaded all that it needs
                before = rss_bytes(platform)
            data = number.to_bytes(4) + piece[4:]
            sent.update(data)
            up.stdin.write(data)
        up.stdin.close()
        assert up.wait(60) == 0
    summed = kubectl("exec", web, "--", "sha256sum", "/tmp/big").out.split()[0]
    assert summed == sent.hexdigest()
    got = hashlib.sha256()
    with piped(kubectl, "exec", web, "--", "cat", "/tmp/big") as down:
        while data := down.stdout.read(1 << 20):
            got.update(data)
        assert down.wait(60) == 0
    assert got.hexdigest() == sent.hexdigest()
    assert rss_bytes(platform) - before < 32 << 20
    kubectl("exec", web, "--", "rm", "/tmp/big")


def test_a_client_that_does_not_read_holds_up_the_command_only(kubectl, web, platform):
    before = rss_bytes(platform)
    with piped(kubectl, "exec", web, "--", "sh", "-c", "cat /dev/zero") as stuck:
        assert stuck.stdout.read(1) == b"\0"
        time.sleep(1.0)  # as long as it may take for what is not bounded to show
        assert kubectl("exec", web, "--", "echo", "still").out == "still\n"
        assert rss_bytes(platform) - before < 32 << 20
    until("the stream is closed", lambda: open_streams(platform, "pods/exec") == 0)


def test_a_command_that_does_not_read_holds_up_its_client_only(kubectl, web, platform):
    before = rss_bytes(platform)
    with piped(kubectl, "exec", "-i", web, "--", "sleep", "60") as stuck:
        written = 0

        def flood():
            nonlocal written
            try:
                while True:
                    written += stuck.stdin.write(bytes(65536))
            except (OSError, ValueError):
                return

        flooding = threading.Thread(target=flood, daemon=True)
        flooding.start()
        time.sleep(1.0)  # as above
        first = written
        assert kubectl("exec", web, "--", "echo", "still").out == "still\n"
        assert rss_bytes(platform) - before < 32 << 20
        assert first < 64 << 20
        stuck.kill()
        flooding.join(10)
    until("the stream is closed", lambda: open_streams(platform, "pods/exec") == 0, 45)


def test_many_commands_at_once(newest, web, platform):
    def one(number):
        return newest("exec", "-i", web, "--", "sh", "-c", f"cat; echo {number}", stdin="x").out

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(one, range(24))) == [f"x{number}\n" for number in range(24)]
    assert open_streams(platform, "pods/exec") == 0


# ---------------------------------------------------------------- attach and run


def test_attach_to_a_running_container(kubectl, newest, web):
    name = f"att-{kubectl.binary.name.replace('.', '-')}"
    run(newest, name, 'while read x; do echo "got $x"; done; echo ended', "-i", "--attach=false")
    newest("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=30s")
    answer = kubectl.run("attach", "-i", name, stdin="a\nb\n")
    assert (answer.code, answer.out) == (0, "got a\ngot b\nended\n")
    until(
        "it has ended",
        lambda: newest.get("pod", name)["status"]["phase"] == "Succeeded",
    )
    newest("delete", "pod", name)


def test_run_with_input_removes_the_pod_and_tells_the_exit_code(kubectl, web):
    name = f"job-{kubectl.binary.name.replace('.', '-')}"
    answer = kubectl.run(
        "run", name, f"--image={BUSYBOX_TAG}", "-i", "--rm", "--restart=Never", "--",
        "sh", "-c", "cat; echo done; exit 5", stdin="hello\n",
    )  # fmt: skip
    assert answer.code == 5
    assert answer.out.startswith("hello\ndone\n")
    assert f'pod "{name}" deleted' in answer.out
    assert f'pods "{name}" not found' in kubectl.fails("get", "pod", name)


def test_run_on_a_terminal(kubectl, web):
    name = f"term-{kubectl.binary.name.replace('.', '-')}"
    script = "sleep 2; echo type now; read x; stty size; echo got $x; exit 6"
    shown, code = on_a_terminal(
        kubectl, "run", name, f"--image={BUSYBOX_TAG}", "-it", "--rm", "--restart=Never", "--",
        "sh", "-c", script, typed=b"hello\r",
    )  # fmt: skip
    assert "got hello" in shown
    assert "33 77" in shown
    assert code == 6


# ---------------------------------------------------------------- cp


def test_cp_both_ways(kubectl, web, tmp_path):
    there, back = tmp_path / "there", tmp_path / "back"
    (there / "sub").mkdir(parents=True)
    (there / "a").write_text("one\n")
    (there / "sub" / "b").write_bytes(os.urandom(3_000_000))
    kubectl("exec", web, "--", "rm", "-rf", "/tmp/copied")
    kubectl("cp", str(there), f"default/{web}:/tmp/copied")
    kubectl("cp", f"default/{web}:/tmp/copied", str(back))
    for path in ("a", "sub/b"):
        assert (back / path).read_bytes() == (there / path).read_bytes()


# ---------------------------------------------------------------- port-forward


@contextmanager
def forwarded(kubectl, pod, port):
    local = free_port()
    with kubectl.start("port-forward", f"pod/{pod}", f"{local}:{port}") as process:
        line = process.stdout.readline()
        assert line.startswith(f"Forwarding from 127.0.0.1:{local} -> {port}"), line
        yield local, process


def get(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/")
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def test_port_forward_serves_many_connections(kubectl, web, platform):
    with forwarded(kubectl, web, 8080) as (port, _), ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda _: get(port), range(60)))
    assert found == [(200, b"hello from busybox\n")] * 60
    until("it is closed", lambda: open_streams(platform, "pods/portforward") == 0)


def test_port_forward_to_a_port_that_nobody_listens_on(kubectl, web):
    with forwarded(kubectl, web, 9999) as (port, process):
        with pytest.raises((OSError, http.client.HTTPException)):
            get(port)
        until_said = ""
        while "refused" not in until_said:
            line = process.stdout.readline()
            assert line, until_said
            until_said += line
    assert "error forwarding port 9999 to pod web_default" in until_said
    assert "connect: connection refused" in until_said


def test_port_forward_of_much_data(newest, web):
    newest("exec", web, "--", "sh", "-c", "head -c 50000000 /dev/urandom >/www/big")
    summed = newest("exec", web, "--", "sha256sum", "/www/big").out.split()[0]
    with forwarded(newest, web, 8080) as (port, _):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/big")
        got = hashlib.sha256(connection.getresponse().read()).hexdigest()
        connection.close()
    assert got == summed


def test_port_forward_into_the_hosts_network(newest, web):
    document = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "onhost"},
        "spec": {"hostNetwork": True, "terminationGracePeriodSeconds": 1, "containers": [{
            "name": "c", "image": BUSYBOX_TAG,
            "command": ["sh", "-c", "exec httpd -f -p 127.0.0.1:18999 -h /www"]}]},
    }  # fmt: skip
    newest("apply", "-f", "-", stdin=document)
    newest("wait", "pod/onhost", "--for=condition=Ready", "--timeout=30s")
    with forwarded(newest, "onhost", 18999) as (port, _):
        assert get(port) == (200, b"hello from busybox\n")
    newest("delete", "pod", "onhost", "--now")
