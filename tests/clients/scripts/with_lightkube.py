"""lightkube: create, server-side apply, patch, wait, list by selector, delete."""

import sys

from lightkube import ApiError, Client
from lightkube.models.apps_v1 import DeploymentSpec
from lightkube.models.core_v1 import Container, PodSpec, PodTemplateSpec
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Pod

namespace = sys.argv[1]
client = Client(namespace=namespace, field_manager="lightkube-test")
labels = {"app": "two"}
container = Container(name="c", image="orch-test/busybox:1", command=["sleep", "600"])
template = PodTemplateSpec(
    metadata=ObjectMeta(labels=labels),
    spec=PodSpec(containers=[container], terminationGracePeriodSeconds=0),
)
wanted = Deployment(
    metadata=ObjectMeta(name="two", namespace=namespace),
    spec=DeploymentSpec(replicas=1, selector=LabelSelector(matchLabels=labels), template=template),
)
wanted.apiVersion, wanted.kind = "apps/v1", "Deployment"
made = client.apply(wanted)
assert made.metadata.managedFields[0].manager == "lightkube-test"
assert client.apply(wanted).metadata.resourceVersion
found = client.wait(Deployment, "two", for_conditions=["Available"])
assert found.status.readyReplicas == 1
pods = list(client.list(Pod, labels=labels))
assert len(pods) == 1
client.create(ConfigMap(metadata=ObjectMeta(name="m"), data={"a": "1"}))
assert client.patch(ConfigMap, "m", {"data": {"b": "2"}}).data == {"a": "1", "b": "2"}
client.delete(ConfigMap, "m")
try:
    client.get(ConfigMap, "m")
except ApiError as error:
    assert error.status.reason == "NotFound"  # noqa: PT017
else:
    raise SystemExit("a deleted object was read")
client.delete(Deployment, "two")
print("ok")
