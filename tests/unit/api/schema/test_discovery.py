"""Discovery documents: complete, consistent with each other, in the exact form clients key on."""

import json

import pytest

from orchestrator.api.resources import RESOURCES
from orchestrator.api.schema import discovery

KUBECTL_135 = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)
ACCEPT = [
    (KUBECTL_135, "v2"),
    (KUBECTL_135.split(",", 1)[1], "v2beta1"),
    ("application/json; g=apidiscovery.k8s.io; v=v3; as=APIGroupDiscoveryList, " + KUBECTL_135,
     "v2"),
    ("application/json", None),
    ("application/json, */*", None),
    ("*/*", None),
    ("", None),
    ("application/json;g=other.io;v=v2;as=APIGroupDiscoveryList", None),
    ("application/json," + KUBECTL_135, None),
]  # fmt: skip


@pytest.mark.parametrize(("accept", "version"), ACCEPT)
def test_the_first_form_that_can_be_given_wins(accept, version):
    assert discovery.aggregated_version(accept) == version


def test_groups_name_their_versions():
    groups = json.loads(discovery.groups().body)
    assert groups["kind"] == "APIGroupList"
    names = [group["name"] for group in groups["groups"]]
    assert names == sorted(set(names))
    assert "" not in names
    assert groups["groups"][names.index("apps")] == {
        "name": "apps",
        "versions": [{"groupVersion": "apps/v1", "version": "v1"}],
        "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"},
    }
    alone = discovery.group("apps")
    assert alone is not None
    assert json.loads(alone.body) == {
        "kind": "APIGroup", "apiVersion": "v1", **groups["groups"][names.index("apps")],
    }  # fmt: skip
    assert discovery.group("example.com") is None
    assert discovery.group("") is None


def test_core_lists_its_versions():
    versions = json.loads(discovery.core_versions().body)
    assert versions["kind"] == "APIVersions"
    assert versions["versions"] == ["v1"]
    assert versions["serverAddressByClientCIDRs"] == []  # present: models of clients require it


def test_every_resource_and_subresource_is_listed_once():
    listed = []
    for group, version in discovery.group_versions():
        document = discovery.resources(group, version)
        assert document is not None
        content = json.loads(document.body)
        assert content["groupVersion"] == (f"{group}/{version}" if group else version)
        names = [row["name"] for row in content["resources"]]
        assert names == sorted(names)
        listed += [f"{name}.{group}" for name in names]
    wanted = [f"{r.plural}.{r.group}" for r in RESOURCES]
    wanted += [f"{r.plural}/{s.name}.{r.group}" for r in RESOURCES for s in r.subresources]
    assert sorted(listed) == sorted(wanted)
    assert discovery.resources("apps", "v1beta1") is None


def test_rows_are_as_kubernetes_writes_them():
    core = discovery.resources("", "v1")
    assert core is not None
    content = json.loads(core.body)
    assert "apiVersion" not in content
    rows = {row["name"]: row for row in content["resources"]}
    assert rows["pods"] == {
        "name": "pods", "singularName": "pod", "namespaced": True, "kind": "Pod",
        "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update",
                  "watch"],
        "shortNames": ["po"], "categories": ["all"],
    }  # fmt: skip
    assert rows["pods/eviction"] == {
        "name": "pods/eviction", "singularName": "", "namespaced": True, "group": "policy",
        "version": "v1", "kind": "Eviction", "verbs": ["create"],
    }  # fmt: skip
    assert rows["namespaces/finalize"]["verbs"] == ["update"]
    assert "deletecollection" not in rows["namespaces"]["verbs"]


@pytest.mark.parametrize("version", ["v2", "v2beta1"])
@pytest.mark.parametrize("core", [True, False])
def test_aggregated_documents_say_the_same_as_the_plain_ones(version, core):
    document = discovery.aggregated(version, core=core)
    assert document.content_type == (
        f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
    )
    content = json.loads(document.body)
    assert content["apiVersion"] == f"apidiscovery.k8s.io/{version}"
    rows = 0
    for item in content["items"]:
        group = item["metadata"].get("name", "")
        assert bool(group) is not core
        for each in item["versions"]:
            assert each["freshness"] == "Current"
            plain = discovery.resources(group, each["version"])
            assert plain is not None
            listed = {row["name"]: row for row in json.loads(plain.body)["resources"]}
            for row in each["resources"]:
                other = listed.pop(row["resource"])
                assert row["verbs"] == other["verbs"]
                assert row.get("shortNames") == other.get("shortNames")
                assert row["scope"] == ("Namespaced" if other["namespaced"] else "Cluster")
                assert row["responseKind"] == {
                    "group": group, "version": each["version"], "kind": other["kind"],
                }  # fmt: skip
                for sub in row.get("subresources", ()):
                    other = listed.pop(f"{row['resource']}/{sub['subresource']}")
                    assert sub["verbs"] == other["verbs"]
                    assert sub["responseKind"]["group"] == other.get("group", group)
                rows += 1
            assert not listed
    assert rows == sum(core is not bool(r.group) for r in RESOURCES)


def test_etags_are_quoted_and_tell_documents_apart():
    v2, beta = discovery.aggregated("v2", core=False), discovery.aggregated("v2beta1", core=False)
    assert v2.etag.startswith('"')
    assert v2.etag.strip('"') == v2.digest
    assert v2.etag != beta.etag
    assert discovery.aggregated("v2", core=False) is v2
