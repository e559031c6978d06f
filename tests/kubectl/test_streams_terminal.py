"""Streams into pods. With a terminal, as a person has one."""

import pytest

from tests.kubectl.manifests import pod
from tests.rig.watching import until

pytestmark = [pytest.mark.docker, pytest.mark.rig, pytest.mark.slow]

IMAGE = "--image=orch-test/busybox:1"


@pytest.mark.command("`exec -it`: a shell in a terminal, its size, Ctrl-C, its exit code")
def test_exec_terminal(kubectl, bench):
    kubectl("apply", "-f", bench.file("p.yaml", pod()))
    kubectl("wait", "pod/p", "--for=condition=Ready", "--timeout=60s")
    with kubectl.typed("exec", "-it", "p", "--", "sh") as screen:
        screen.expect("# ")
        screen.type("tty; echo $((6 * 7))\n")
        screen.expect("/dev/pts/")
        screen.expect("\n42")
        screen.expect("# ")
        sizes = sized(screen, "40 100")
        screen.resize(50, 132)
        sizes += sized(screen, "50 132")
        assert sizes[-1] == "50 132"
        screen.type("echo a 'cat'; cat\n")
        screen.expect("\r\na cat\r\n")  # from here on the terminal is the cat's
        screen.type("a line\n")
        screen.expect("a line\r\na line\r\n")
        screen.type("\x03")
        screen.expect("# ")
        screen.type("exit 7\n")
        assert screen.ended() == 7


def sized(screen, wanted: str) -> list[str]:
    """Asks the terminal for its size until it is the one that is wanted; all answers."""
    answers: list[str] = []

    def asked() -> bool:
        screen.type("stty size | sed 's/^/size /'\n")
        screen.expect("\r\nsize ")
        screen.expect("\r\n")
        answers.append(screen.seen[: screen.position].rpartition("\r\nsize ")[2].strip())
        screen.expect("# ")
        return answers[-1] == wanted

    until(f"the terminal is {wanted}", asked)
    return answers


@pytest.mark.command("`run -it --rm`, `attach -it`")
def test_run_terminal(kubectl, bench):
    with kubectl.typed(
        "run", "once", "-it", "--rm", "--restart=Never", IMAGE, "--", "sh"
    ) as screen:
        # a prompt that was printed before kubectl was attached is not shown again: Enter brings one
        screen.expect("command prompt", 60)
        screen.type("\n")
        screen.expect("# ")
        screen.type("tty; echo $((6 * 7))\n")
        screen.expect("/dev/pts/")
        screen.expect("\n42")
        screen.type("exit\n")
        screen.expect('pod "once" deleted')
        assert screen.ended() == 0
    assert "NotFound" in kubectl.fails("get", "pod", "once")
    made = pod(script="while read line; do echo got $line; done")
    made["spec"]["containers"][0] |= {"stdin": True, "tty": True}
    kubectl("apply", "-f", bench.file("p.yaml", made))
    kubectl("wait", "pod/p", "--for=condition=Ready", "--timeout=60s")
    with kubectl.typed("attach", "-it", "p") as screen:
        screen.expect("command prompt", 60)
        screen.type("hello\n")
        screen.expect("got hello")
    until("it is in the log", lambda: "got hello" in kubectl("logs", "p").out)
