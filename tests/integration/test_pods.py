"""Pods on real hosts: everything that a spec says about a container, seen through kubectl."""

import base64
import json
import time

import pytest
import yaml

from tests.rig.images import BUSYBOX_TAG, ensure_busybox

pytestmark = [pytest.mark.docker, pytest.mark.rig]

FOREVER = "trap 'exit 0' TERM; while :; do sleep 0.1; done"


@pytest.fixture(scope="module", autouse=True)
def _image(platform):
    platform.rig.seed(ensure_busybox())


@pytest.fixture
def kubectl(platform):
    """kubectl, in a namespace that is emptied afterwards."""
    yield platform.kubectl
    platform.kubectl("delete", "pods,configmaps,secrets", "--all", "--grace-period=1")


def container(script=FOREVER, name="c", **more):
    return {"name": name, "image": BUSYBOX_TAG, "command": ["sh", "-c", script], **more}


def pod(name, *containers, **spec):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}, "annotations": {"note": "hi"}},
        "spec": {"terminationGracePeriodSeconds": 2, "containers": list(containers), **spec},
    }


def until(what, condition, within_s=20.0):
    """Polls until the condition gives something true, and returns that."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


def apply(kubectl, *documents):
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(documents))


def ready(kubectl, name):
    kubectl("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=20s")
    return kubectl.get("pod", name)


def ended(kubectl, name):
    return until(
        f"{name} has ended",
        lambda: (
            kubectl.get("pod", name)["status"].get("phase") in {"Succeeded", "Failed"}
            and kubectl.get("pod", name)
        ),
    )


def waiting(kubectl, name, reason):
    """The waiting state of the first container, once it has that reason."""

    def state():
        statuses = kubectl.get("pod", name)["status"].get("containerStatuses") or [{}]
        found = statuses[0].get("state", {}).get("waiting", {})
        return found if found.get("reason") == reason else None

    return until(f"{name} waits with {reason}", state)


def events(kubectl, name):
    found = kubectl.get("events", "--field-selector", f"involvedObject.name={name}")["items"]
    return {(e["reason"], e["message"]) for e in found}


def inspect(platform, document, name="c"):
    """The engine's view of a container of a pod."""
    host, uid = document["spec"]["nodeName"], document["metadata"]["uid"]
    found = platform.rig.run(
        host, "docker", "ps", "-aq", "--filter", f"label=orch.dev/pod-uid={uid}",
        "--filter", f"label=orch.dev/container={name}",
    ).split()  # fmt: skip
    assert len(found) == 1
    return json.loads(platform.rig.run(host, "docker", "inspect", found[0]))[0]


def test_environment_from_everywhere(kubectl):
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"},
              "data": {"COLOR": "blue", "SIZE": "9"}}  # fmt: skip
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"},
              "data": {"token": base64.b64encode(b"s3cr3t").decode()}}  # fmt: skip
    env = [
        {"name": "PLAIN", "value": "1"},
        {"name": "USES", "value": "$(PLAIN)-$(SIZE)-$$(PLAIN)-$(UNKNOWN)"},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
        {"name": "GONE", "valueFrom": {"configMapKeyRef":
                                       {"name": "settings", "key": "no", "optional": True}}},
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "CPU", "valueFrom": {"resourceFieldRef":
                                      {"resource": "limits.cpu", "divisor": "1m"}}},
    ]  # fmt: skip
    one = container(
        "env | sort; echo arg $0 $1; hostname -i", args=["$(PLAIN)", "b"], env=env,
        envFrom=[{"prefix": "P_", "configMapRef": {"name": "settings"}},
                 {"configMapRef": {"name": "settings"}}],
        resources={"limits": {"cpu": "250m"}},
    )  # fmt: skip
    apply(kubectl, config, secret, pod("env", one, restartPolicy="Never"))
    document = ended(kubectl, "env")
    lines = kubectl("logs", "env").lines
    said = dict(line.split("=", 1) for line in lines if "=" in line)
    address = document["status"]["podIP"]
    assert said | {
        "PLAIN": "1", "USES": "1-9-$(PLAIN)-$(UNKNOWN)", "TOKEN": "s3cr3t", "NAME": "env",
        "LABEL": "env", "NODE": document["spec"]["nodeName"], "POD_IP": address, "CPU": "250",
        "HOST": document["status"]["hostIP"], "P_COLOR": "blue", "COLOR": "blue",
        "HOSTNAME": "env",
    } == said  # fmt: skip
    assert "GONE" not in said
    assert "arg 1 b" in lines
    assert lines[-1] == address


def test_volumes_of_every_kind(kubectl, platform):
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"},
              "data": {"a.conf": "one", "b.conf": "two"}}  # fmt: skip
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sec"},
              "stringData": {"key": "k"}}  # fmt: skip
    mounts = [
        {"name": "conf", "mountPath": "/conf"},
        {"name": "some", "mountPath": "/some"},
        {"name": "sec", "mountPath": "/sec"},
        {"name": "work", "mountPath": "/shared"},
        {"name": "work", "mountPath": "/part", "subPath": "sub/dir"},
        {"name": "fast", "mountPath": "/fast"},
        {"name": "host", "mountPath": "/host"},
    ]
    script = (
        "cat /conf/a.conf /conf/b.conf; ls /some; stat -Lc %a /sec/key;"
        "touch /conf/x 2>/dev/null || echo ro;"
        "stat -c '%a %g' /shared; echo x >/shared/f; echo y >/part/g; cat /shared/sub/dir/g;"
        "stat -f -c %T /fast; echo z >/host/from-pod;" + FOREVER
    )
    one = container(script, volumeMounts=mounts, securityContext={"runAsUser": 1000})
    two = container("until cat /shared/f; do sleep 0.1; done;" + FOREVER, name="two",
                    volumeMounts=[{"name": "work", "mountPath": "/shared"}])  # fmt: skip
    volumes = [
        {"name": "conf", "configMap": {"name": "conf"}},
        {"name": "some", "configMap": {"name": "conf",
                                       "items": [{"key": "a.conf", "path": "deep/er"}]}},
        {"name": "sec", "secret": {"secretName": "sec", "defaultMode": 0o444}},
        {"name": "work", "emptyDir": {}},
        {"name": "fast", "emptyDir": {"medium": "Memory"}},
        {"name": "host", "hostPath": {"path": "/var/tmp/orch-test", "type": "DirectoryOrCreate"}},
    ]  # fmt: skip
    for host in platform.rig.hosts:
        platform.rig.run(host.name, "install", "-d", "-m", "777", "/var/tmp/orch-test")
    apply(kubectl, config, secret, pod("vol", one, two, volumes=volumes,
                                       securityContext={"fsGroup": 2000}))  # fmt: skip
    document = ready(kubectl, "vol")
    until("all was written", lambda: "tmpfs" in kubectl("logs", "vol", "-c", "c").out)
    said = kubectl("logs", "vol", "-c", "c").out
    assert "onetwodeep\n444\n" in said
    assert "ro\n" in said
    assert "2777 2000\n" in said
    assert "\ny\n" in said
    until("the other sees it", lambda: kubectl("logs", "vol", "-c", "two").out.endswith("x\n"))
    host = document["spec"]["nodeName"]
    assert platform.rig.run(host, "cat", "/var/tmp/orch-test/from-pod") == "z\n"

    kubectl("patch", "configmap", "conf", "-p", json.dumps({"data": {"a.conf": "new"}}))
    cat = ("docker", "exec", inspect(platform, document)["Id"], "cat", "/conf/a.conf")
    until("the file follows", lambda: platform.rig.run(host, *cat) == "new")
    kubectl("delete", "pod", "vol")
    assert platform.rig.run(host, "docker", "volume", "ls", "-q") == ""
    assert document["metadata"]["uid"] not in platform.rig.run(host, "find", "/run/orch")


def test_resources_and_security_reach_the_engine(kubectl, platform):
    one = container(
        resources={"limits": {"cpu": "500m", "memory": "64Mi"}, "requests": {"cpu": "100m"}},
        securityContext={"readOnlyRootFilesystem": True, "runAsUser": 1000,
                         "allowPrivilegeEscalation": False,
                         "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}},
        workingDir="/tmp", tty=True, stdin=True,
    )  # fmt: skip
    dns = {"nameservers": ["203.0.113.53"], "searches": ["example.com"],
           "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]}  # fmt: skip
    apply(kubectl, pod("tight", one, hostAliases=[{"ip": "203.0.113.9", "hostnames": ["far"]}],
                       dnsPolicy="None", dnsConfig=dns))  # fmt: skip
    found = inspect(platform, ready(kubectl, "tight"))
    host = found["HostConfig"]
    assert (host["NanoCpus"], host["Memory"], host["CpuShares"]) == (5 * 10**8, 64 << 20, 102)
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["ExtraHosts"] == ["far:203.0.113.9"]
    assert (host["Dns"], host["DnsSearch"]) == (["203.0.113.53"], ["example.com"])
    assert host["DnsOptions"] == ["ndots:2", "edns0"]
    config = found["Config"]
    assert (config["User"], config["WorkingDir"], config["Tty"]) == ("1000", "/tmp", True)
    assert kubectl.get("pod", "tight")["status"]["qosClass"] == "Burstable"


def test_init_containers_one_after_the_other_then_a_shared_network(kubectl):
    inits = [container("echo first >>/w/log", name="one"), container("sleep 0.3; echo second "
             ">>/w/log", name="two")]  # fmt: skip
    side = container("nc -ll -p 5000 -e cat /w/log", name="side", restartPolicy="Always")
    mount = {"volumeMounts": [{"name": "w", "mountPath": "/w"}]}
    main = container("until nc 127.0.0.1 5000; do sleep 0.1; done; " + FOREVER)
    apply(kubectl, pod(
        "stages", main | mount, initContainers=[c | mount for c in (*inits, side)],
        volumes=[{"name": "w", "emptyDir": {}}],
    ))  # fmt: skip
    ready(kubectl, "stages")
    until("it was told", lambda: "second" in kubectl("logs", "stages").out)
    assert "first\nsecond\n" in kubectl("logs", "stages").out
    status = kubectl.get("pod", "stages")["status"]
    assert [s["state"].get("terminated", {}).get("reason") for s in
            status["initContainerStatuses"][:2]] == ["Completed", "Completed"]  # fmt: skip
    assert "running" in status["initContainerStatuses"][2]["state"]


def test_restart_policies(kubectl):
    apply(
        kubectl,
        pod("never", container("echo out; exit 3"), restartPolicy="Never"),
        pod("fine", container("exit 0"), restartPolicy="OnFailure"),
        pod("init-fails", container(), restartPolicy="Never",
            initContainers=[container("exit 4", name="i")]),
        pod("loop", container("echo run; exit 1")),
    )  # fmt: skip
    assert ended(kubectl, "never")["status"]["phase"] == "Failed"
    state = kubectl.get("pod", "never")["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (state["exitCode"], state["reason"]) == (3, "Error")
    assert kubectl("logs", "never").out == "out\n"
    assert ended(kubectl, "fine")["status"]["phase"] == "Succeeded"
    assert ended(kubectl, "init-fails")["status"]["phase"] == "Failed"
    waiting(kubectl, "loop", "CrashLoopBackOff")
    status = until("it was restarted twice", lambda: next(
        (s for s in kubectl.get("pod", "loop")["status"]["containerStatuses"]
         if s["restartCount"] >= 2 and "waiting" in s["state"]), None))  # fmt: skip
    assert status["lastState"]["terminated"]["exitCode"] == 1
    assert kubectl("logs", "loop", "--previous").out == "run\n"
    assert ("BackOff", "Back-off restarting failed container c in pod loop") in events(
        kubectl, "loop"
    )


def test_probes_decide_about_readiness_and_restarts(kubectl, platform):
    file = {"exec": {"command": ["cat", "/tmp/ok"]}, "periodSeconds": 1, "failureThreshold": 1}
    apply(
        kubectl,
        pod("reads", container(readinessProbe=file)),
        pod("lives", container("touch /tmp/ok; " + FOREVER, livenessProbe=file)),
        pod("starts", container("nc -ll -p 80 -e cat", livenessProbe={
            "tcpSocket": {"port": 80}}, startupProbe={
                "tcpSocket": {"port": "web"}, "periodSeconds": 1},
                ports=[{"name": "web", "containerPort": 80}])),
    )  # fmt: skip
    ready(kubectl, "starts")
    lives = ready(kubectl, "lives")
    until("told why", lambda: any(
        reason == "Unhealthy" and "can't open '/tmp/ok'" in text
        for reason, text in events(kubectl, "reads")))  # fmt: skip
    reads = kubectl.get("pod", "reads")
    assert reads["status"]["phase"] == "Running"
    condition = next(c for c in reads["status"]["conditions"] if c["type"] == "Ready")
    assert (condition["status"], condition["reason"]) == ("False", "ContainersNotReady")
    for document, command in ((reads, ["touch"]), (lives, ["rm"])):
        engine_id = inspect(platform, document)["Id"]
        platform.rig.run(document["spec"]["nodeName"], "docker", "exec", engine_id, *command,
                         "/tmp/ok")  # fmt: skip
    ready(kubectl, "reads")
    until("restarted", lambda: kubectl.get("pod", "lives")["status"]["containerStatuses"][0][
        "restartCount"])  # fmt: skip
    assert ("Killing", "Container c failed liveness probe, will be restarted") in events(
        kubectl, "lives"
    )


def test_hooks_and_grace(kubectl, platform):
    for host in platform.rig.hosts:
        platform.rig.run(host.name, "install", "-d", "/var/tmp/orch-hooks")
    hook = "echo {} >>/host/log"
    one = container(
        "trap 'echo TERM >>/host/log; exit 0' TERM; while :; do sleep 0.1; done",
        volumeMounts=[{"name": "host", "mountPath": "/host"}],
        lifecycle={"postStart": {"exec": {"command": ["sh", "-c", hook.format("post")]}},
                   "preStop": {"exec": {"command": ["sh", "-c", hook.format("pre")]}}},
    )  # fmt: skip
    stubborn = container("trap '' TERM; while :; do sleep 0.1; done", name="stubborn")
    volume = {"name": "host", "hostPath": {"path": "/var/tmp/orch-hooks"}}
    apply(kubectl, pod("hooks", one, stubborn, volumes=[volume]))
    host = ready(kubectl, "hooks")["spec"]["nodeName"]
    began = time.monotonic()
    kubectl("delete", "pod", "hooks")
    took = time.monotonic() - began
    assert 1.5 < took < 8.0, took
    log = platform.rig.run(host, "cat", "/var/tmp/orch-hooks/log").split()
    assert log == ["post", "pre", "TERM"]


def test_what_cannot_run_says_why(kubectl):
    missing = {"configMapRef": {"name": "missing"}}
    apply(
        kubectl,
        pod("no-config", container(envFrom=[missing])),
        pod("no-volume", container(volumeMounts=[{"name": "v", "mountPath": "/v"}]),
            volumes=[{"name": "v", "secret": {"secretName": "missing"}}]),
        pod("no-image", {"name": "c", "image": "127.0.0.1:9/none:1"}),
        pod("not-here", {"name": "c", "image": "none:1", "imagePullPolicy": "Never"}),
        pod("no-command", container() | {"command": ["/none"]}),
        pod("root", container(securityContext={"runAsNonRoot": True})),
        pod("too-big", container(resources={"requests": {"cpu": "1000"}})),
        pod("oom", container("head -c 100m /dev/zero | tail",
                             resources={"limits": {"memory": "16Mi"}}), restartPolicy="Never"),
    )  # fmt: skip
    said = waiting(kubectl, "no-config", "CreateContainerConfigError")
    assert said["message"] == 'configmap "missing" not found'
    assert ("Failed", 'Error: configmap "missing" not found') in events(kubectl, "no-config")
    until("told", lambda: ("FailedMount", 'secret "missing" not found')
          in events(kubectl, "no-volume"))  # fmt: skip
    said = waiting(kubectl, "root", "CreateContainerConfigError")
    assert said["message"] == "container has runAsNonRoot and image will run as root"
    said = waiting(kubectl, "no-image", "ErrImagePull")
    assert "127.0.0.1:9" in said["message"]
    assert "connection refused" in said["message"]
    waiting(kubectl, "not-here", "ErrImageNeverPull")
    said = waiting(kubectl, "no-command", "RunContainerError")
    assert "/none" in said["message"]
    ended(kubectl, "oom")
    until("the engine says so, a moment later", lambda: kubectl.get("pod", "oom")["status"][
        "containerStatuses"][0]["state"]["terminated"]["reason"] == "OOMKilled")  # fmt: skip
    condition = until("scheduler told", lambda: [
        c for c in kubectl.get("pod", "too-big")["status"].get("conditions") or ()
        if c["type"] == "PodScheduled"])[0]  # fmt: skip
    assert condition["reason"] == "Unschedulable"
    assert condition["message"].startswith("0/3 nodes are available: 3 Insufficient cpu")

    apply(kubectl, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "missing"},
                    "data": {"A": "1"}})  # fmt: skip
    ready(kubectl, "no-config")
    apply(kubectl, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "missing"},
                    "stringData": {"a": "1"}})  # fmt: skip
    ready(kubectl, "no-volume")


def test_host_network_and_host_port(kubectl, platform):
    web = container("httpd -f -p 8099 -h /www")
    fixed = container("httpd -f -p 80 -h /www", ports=[{"containerPort": 80, "hostPort": 8098}])
    apply(kubectl, pod("on-host", web, hostNetwork=True), pod("fixed", fixed))
    for name, port in (("on-host", 8099), ("fixed", 8098)):
        document = ready(kubectl, name)
        host = document["spec"]["nodeName"]
        said = platform.rig.run(host, "python3", "-c", "import urllib.request as r; "
                                f"print(r.urlopen('http://127.0.0.1:{port}').read())")  # fmt: skip
        assert "hello from busybox" in said
    status = kubectl.get("pod", "on-host")["status"]
    assert status["podIP"] == status["hostIP"]


def test_logs_in_every_way(kubectl):
    script = "for i in 1 2 3; do echo line $i; sleep 0.4; done; echo end; " + FOREVER
    apply(kubectl, pod("talks", container(script), container("echo other; " + FOREVER, name="b")))
    ready(kubectl, "talks")
    with kubectl.start("logs", "-f", "talks", "-c", "c") as follower:
        assert follower.stdout is not None
        read = [follower.stdout.readline().strip() for _ in range(4)]
    assert read == ["line 1", "line 2", "line 3", "end"]
    assert kubectl("logs", "talks", "-c", "c", "--tail", "2").lines == ["line 3", "end"]
    assert kubectl("logs", "talks", "-c", "c", "--since", "1h").lines == read
    stamped = kubectl("logs", "talks", "-c", "c", "--timestamps", "--tail", "1").out.split()
    assert stamped[0].endswith("Z")
    assert stamped[1] == "end"
    assert "previous terminated container" in kubectl.fails("logs", "talks", "-c", "c", "-p")
    assert kubectl("logs", "-l", "app=talks", "-c", "b").lines[0] == "other"


def test_deadline_ends_a_pod(kubectl):
    apply(kubectl, pod("late", container(), activeDeadlineSeconds=1))
    status = ended(kubectl, "late")["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")


def test_an_image_may_be_changed_in_place(kubectl, platform):
    platform.rig.client.images.get(BUSYBOX_TAG).tag("orch-test/busybox", "2")
    platform.rig.seed("orch-test/busybox:2")
    apply(kubectl, pod("change", container()))
    before = ready(kubectl, "change")
    kubectl("set", "image", "pod/change", "c=orch-test/busybox:2")
    status = until("it runs anew", lambda: next(
        (s for s in kubectl.get("pod", "change")["status"]["containerStatuses"]
         if s["restartCount"] == 1 and s["state"].get("running")), None))  # fmt: skip
    assert status["image"] == "orch-test/busybox:2"
    assert kubectl.get("pod", "change")["metadata"]["uid"] == before["metadata"]["uid"]
