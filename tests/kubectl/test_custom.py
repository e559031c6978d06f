"""Custom resources."""

import pytest

from tests.kubectl.manifests import crd

pytestmark = [pytest.mark.docker, pytest.mark.rig, pytest.mark.slow]


@pytest.mark.command(
    "CustomResourceDefinition: `apply`, `get`, `explain`, validation, `scale`, `delete`"
)
def test_crd(kubectl, bench):
    group = f"v{bench.version.replace('.', '-')}.example.com"
    definition = crd(group=group)
    definition["spec"]["names"]["shortNames"] = []
    name = definition["metadata"]["name"]
    bench.used.append(f"crd {name}")
    kubectl("apply", "-f", bench.file("crd.yaml", definition))
    kubectl("wait", f"crd/{name}", "--for=condition=Established", "--timeout=20s")
    made = {
        "apiVersion": f"{group}/v1", "kind": "CronTab", "metadata": {"name": "a"},
        "spec": {"cronSpec": "* * * * */5", "image": "i"},
    }  # fmt: skip
    plural = f"crontabs.{group}"
    assert kubectl("apply", "-f", bench.file("a.yaml", made)).lines == [
        f"crontab.{group}/a created"
    ]
    assert kubectl("get", plural).rows[1][:3] == ["a", "* * * * */5", "1"]
    assert (
        "What to run." in kubectl("explain", "crontab.spec.image", f"--api-version={group}/v1").out
    )
    made["spec"]["image"] = "j"
    assert kubectl("apply", "-f", bench.file("a.yaml", made)).lines == [
        f"crontab.{group}/a configured"
    ]
    kubectl("scale", plural, "a", "--replicas=3")
    assert kubectl.get(plural, "a")["spec"]["replicas"] == 3
    wrong = {**made, "metadata": {"name": "w"}, "spec": {"cronSpec": "x", "replicas": 99}}
    said = kubectl.fails("apply", "-f", bench.file("w.yaml", wrong))
    assert "spec.cronSpec: Invalid value" in said
    assert "spec.replicas: Invalid value" in said
    kubectl(
        "patch",
        plural,
        "a",
        "--type=merge",
        "--subresource=status",
        "-p",
        '{"status":{"replicas":2}}',
    )
    assert kubectl.get(plural, "a")["status"] == {"replicas": 2}
    kubectl("delete", plural, "a")
    kubectl("delete", "crd", name)
    assert "doesn't have a resource type" in kubectl.fails("get", plural)
