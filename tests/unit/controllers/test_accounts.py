"""Plans of the default account, of secrets with tokens, and of aggregated roles."""

import base64

import pytest

from orchestrator.controllers.accounttoken import plan as token_plan
from orchestrator.controllers.clusterrole.plan import plan as role_plan
from orchestrator.controllers.serviceaccount.plan import plan as account_plan
from orchestrator.kit.ids import ObjectKey, Revision
from orchestrator.reconcile.intents import Create, Delete, Patch
from orchestrator.store.objects import Draft, StoredObject


def stored(resource, name, namespace="", **more):
    meta = {"name": name, "uid": f"uid-{name}", **more.pop("metadata", {})}
    document = {"kind": "K", "apiVersion": "v1", "metadata": meta, **more}
    key = ObjectKey(resource, namespace, name)
    return StoredObject(key, Revision(7), Draft.of(document).at(Revision(7)))


# ------------------------------------------------------------ default accounts

SPACE = stored("namespaces", "one")
GOING = stored("namespaces", "one", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
DEFAULT = stored("serviceaccounts", "default", "one")


def test_a_namespace_gets_its_account_unless_it_is_going():
    [intent] = account_plan(SPACE, None)
    assert isinstance(intent, Create)
    assert (intent.resource, intent.namespace) == ("serviceaccounts", "one")
    assert account_plan(SPACE, DEFAULT) == []
    assert account_plan(GOING, None) == []
    assert account_plan(None, None) == []


# ------------------------------------------------------------ tokens in secrets

BOT = stored("serviceaccounts", "bot", "one")


def secret(data=None, kind="kubernetes.io/service-account-token", **annotations):
    named = {"kubernetes.io/service-account.name": "bot", **annotations}
    more = {"data": data} if data else {}
    return stored("secrets", "s", "one", type=kind, metadata={"annotations": named}, **more)


def fill(item, account=BOT):
    return token_plan.plan(item, account, b"ROOT", lambda claims: f"signed {claims['sub']}")


def test_a_secret_is_filled_once():
    [intent] = fill(secret())
    assert isinstance(intent, Patch)
    data = {key: base64.b64decode(value) for key, value in intent.patch["data"].items()}
    assert data == {
        "ca.crt": b"ROOT", "namespace": b"one", "token": b"signed system:serviceaccount:one:bot"
    }  # fmt: skip
    uid = {"kubernetes.io/service-account.uid": "uid-bot"}
    assert intent.patch["metadata"] == {"annotations": uid}
    full = secret(intent.patch["data"], **uid)
    assert fill(full) == []
    [again] = fill(secret({**intent.patch["data"], "ca.crt": "b2xk"}, **uid))
    assert isinstance(again, Patch)
    assert list(again.patch["data"]) == ["ca.crt"]


@pytest.mark.parametrize(
    "account", [None, stored("serviceaccounts", "bot", "one", metadata={"uid": "another"})]
)
def test_a_secret_for_nobody_goes(account):
    [intent] = fill(secret(**{"kubernetes.io/service-account.uid": "uid-bot"}), account)
    assert isinstance(intent, Delete)


def test_other_secrets_are_left_alone():
    assert fill(secret(kind="Opaque"), None) == []
    assert fill(None) == []


# ------------------------------------------------------------ aggregation


def role(name, rules=(), labels=None, selects=None):
    more = {"rules": list(rules)}
    if selects:
        more["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": s} for s in selects]}
    meta = {"labels": labels or {}}
    return stored("clusterroles.rbac.authorization.k8s.io", name, metadata=meta, **more)


A, B = ({"verbs": ["get"], "apiGroups": [""], "resources": [name]} for name in ("a", "b"))


def test_rules_are_those_of_the_selected_roles():
    roles = [
        role("z", [A], {"to": "x"}), role("y", [B, A], {"to": "x"}), role("other", [A]),
        role("sum", [], {"to": "x"}, [{"to": "x"}]),
    ]  # fmt: skip
    [intent] = role_plan(roles[-1], roles)
    assert isinstance(intent, Patch)
    assert intent.patch == {"rules": [B, A]}
    done = role("sum", [B, A], {"to": "x"}, [{"to": "x"}])
    assert role_plan(done, [*roles[:-1], done]) == []
    assert role_plan(roles[0], roles) == []
    assert role_plan(None, roles) == []
