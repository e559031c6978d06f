"""The official client: typed and dynamic calls, watches, exec, errors."""

import sys
import time

from kubernetes import client, config, watch
from kubernetes.stream import stream

namespace = sys.argv[1]
config.load_kube_config()
core, apps, batch = client.CoreV1Api(), client.AppsV1Api(), client.BatchV1Api()
assert {n.status.node_info.operating_system for n in core.list_node().items} == {"linux"}

labels = {"app": "one"}
container = client.V1Container(
    name="c", image="orch-test/busybox:1", command=["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"],
)  # fmt: skip
pod = client.V1PodTemplateSpec(
    metadata=client.V1ObjectMeta(labels=labels),
    spec=client.V1PodSpec(containers=[container], termination_grace_period_seconds=1),
)
spec = client.V1DeploymentSpec(
    replicas=2, selector=client.V1LabelSelector(match_labels=labels), template=pod
)
made = apps.create_namespaced_deployment(
    namespace, client.V1Deployment(metadata=client.V1ObjectMeta(name="one"), spec=spec)
)
assert made.spec.strategy.rolling_update.max_surge == "25%"
for event in watch.Watch().stream(apps.list_namespaced_deployment, namespace, timeout_seconds=40):
    if (event["object"].status.available_replicas or 0) == 2:
        break
else:
    raise SystemExit("the Deployment did not become available")
scale = apps.patch_namespaced_deployment_scale("one", namespace, {"spec": {"replicas": 1}})
assert scale.spec.replicas == 1
deadline = time.monotonic() + 60
while len(left := core.list_namespaced_pod(namespace, label_selector="app=one").items) != 1:
    assert time.monotonic() < deadline, "the other pod does not go"
    time.sleep(0.1)
name = left[0].metadata.name
said = stream(
    core.connect_get_namespaced_pod_exec, name, namespace, command=["echo", "hello"],
    stderr=True, stdin=False, stdout=True, tty=False,
)  # fmt: skip
assert said == "hello\n", said
core.create_namespaced_config_map(namespace, {"metadata": {"name": "m"}, "data": {"a": "1"}})
changed = core.patch_namespaced_config_map("m", namespace, {"data": {"b": "2"}})
assert changed.data == {"a": "1", "b": "2"}
assert core.delete_namespaced_config_map("m", namespace)["status"] == "Success"
try:
    core.read_namespaced_config_map("m", namespace)
except client.ApiException as error:
    assert (error.status, error.reason) == (404, "Not Found")  # noqa: PT017
else:
    raise SystemExit("a deleted object was read")
apps.delete_namespaced_deployment("one", namespace, propagation_policy="Foreground")
print("ok")
