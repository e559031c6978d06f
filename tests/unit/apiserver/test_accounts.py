"""Service accounts: tokens for them, who shows one, and pods that run as them."""

import base64

import pytest

from orchestrator.credentials.claims import Bound, written_for_secret
from orchestrator.kit.ids import ObjectKey

ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
ISSUER = "https://kubernetes.default.svc.cluster.local"


def pod(name="p", **spec):
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "web:1"}], **spec},
    }


@pytest.fixture
async def bot(world):
    return await world.create(ACCOUNTS, {"metadata": {"name": "bot"}})


async def ask(world, name="bot", **spec):
    return await world.client("POST", f"{ACCOUNTS}/{name}/token", {"spec": spec})


async def token_of(world, name="bot", **spec):
    reply = await ask(world, name, **spec)
    assert reply.status == 201, reply.body
    return reply.json["status"]["token"]


async def who(world, token):
    reply = await world.client("POST", WHO, {}, token=token)
    return reply.json["status"]["userInfo"] if reply.status == 201 else reply.status


# ------------------------------------------------------------ tokens


async def test_a_token_is_its_account(world, bot):
    reply = await ask(world)
    assert (reply.status, reply.json["kind"]) == (201, "TokenRequest")
    assert reply.json["spec"] == {"audiences": [ISSUER], "expirationSeconds": 3600}
    assert reply.json["status"]["expirationTimestamp"] == "2027-01-15T09:00:00Z"
    found = await who(world, reply.json["status"]["token"])
    [credential] = found.pop("extra")["authentication.kubernetes.io/credential-id"]
    assert credential.startswith("JTI=")
    assert found == {
        "username": "system:serviceaccount:default:bot",
        "uid": bot["metadata"]["uid"],
        "groups": [
            "system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"
        ],
    }  # fmt: skip


async def test_a_token_ends(world, bot):
    token = await token_of(world, expirationSeconds=600)
    world.clock.now_s += 599
    assert await who(world, token) != 401
    world.clock.now_s += 1
    assert await who(world, token) == 401


async def test_a_token_of_another_incarnation_is_worthless(world, bot):
    token = await token_of(world)
    await world.client("DELETE", f"{ACCOUNTS}/bot")
    assert await who(world, token) == 401
    await world.create(ACCOUNTS, {"metadata": {"name": "bot"}})
    assert await who(world, token) == 401


async def test_a_token_for_others_is_not_for_us(world, bot):
    token = await token_of(world, audiences=["vault"])
    assert await who(world, token) == 401
    path = "/apis/authentication.k8s.io/v1/tokenreviews"

    async def review(*audiences):
        spec = {"token": token, **({"audiences": list(audiences)} if audiences else {})}
        return (await world.client("POST", path, {"spec": spec})).json["status"]

    found = await review("other", "vault")
    assert (found["authenticated"], found["audiences"]) == (True, ["vault"])
    assert found["user"]["username"] == "system:serviceaccount:default:bot"
    assert (await review()) == {"user": {}, "error": "invalid bearer token"}


async def test_a_token_bound_to_a_pod_ends_with_it(world, bot):
    made = await world.create(
        "/api/v1/namespaces/default/pods", pod(serviceAccountName="bot", nodeName="")
    )
    reference = {"apiVersion": "v1", "kind": "Pod", "name": "p"}
    reply = await ask(world, boundObjectRef=reference)
    uid = made["metadata"]["uid"]
    assert reply.json["spec"]["boundObjectRef"] == {**reference, "uid": uid}
    token = reply.json["status"]["token"]
    found = await who(world, token)
    assert found["extra"]["authentication.kubernetes.io/pod-name"] == ["p"]
    assert found["extra"]["authentication.kubernetes.io/pod-uid"] == [uid]
    await world.client("DELETE", "/api/v1/namespaces/default/pods/p")
    assert await who(world, token) == 401


@pytest.mark.parametrize(
    ("spec", "status", "words"),
    [
        ({"expirationSeconds": 599}, 422,
         'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: '
         "599: may not specify a duration less than 10 minutes"),
        ({"expirationSeconds": 2**33}, 422, "may not specify a duration larger than 2^32 seconds"),
        ({"expirationSeconds": "x"}, 400, "spec.expirationSeconds must be an integer"),
        ({"audiences": "x"}, 400, "spec.audiences must be a list of strings"),
        ({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "none"}}, 404,
         'pods "none" not found'),
        ({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "other"}}, 400,
         'cannot bind token for serviceaccount "bot" to pod running with different '
         'serviceaccount name "default"'),
        ({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "mine", "uid": "x"}}, 409,
         "the UID in the bound object reference (x) does not match the UID in record"),
        ({"boundObjectRef": {"kind": "Cat", "apiVersion": "v1"}}, 400, "Kind=Cat"),
    ],
)  # fmt: skip
async def test_tokens_that_are_not_made(world, bot, spec, status, words):
    pods = "/api/v1/namespaces/default/pods"
    await world.create(pods, pod("other"))
    await world.create(pods, pod("mine", serviceAccountName="bot"))
    reply = await ask(world, **spec)
    assert reply.status == status, reply.body
    assert words in reply.json["message"]


async def test_no_token_for_nobody(world):
    assert (await ask(world, "nobody")).json["message"] == 'serviceaccounts "nobody" not found'
    assert (await world.client("POST", f"{ACCOUNTS}/default/token", {}, token="ann")).status == 403


async def test_a_token_in_a_secret_holds_as_long_as_the_secret(world, bot):
    kind = "kubernetes.io/service-account-token"
    keys = world.api.services.accounts.keys
    account = Bound("bot", bot["metadata"]["uid"])
    token = keys.sign(written_for_secret("default", account, "kept"))
    assert await who(world, token) == 401
    refused = await world.client(
        "POST", "/api/v1/namespaces/default/secrets", {"metadata": {"name": "kept"}, "type": kind}
    )
    assert (
        "metadata.annotations[kubernetes.io/service-account.name]: Required value"
        in (refused.json["message"])
    )
    annotations = {"kubernetes.io/service-account.name": "bot"}
    await world.create(
        "/api/v1/namespaces/default/secrets",
        {
            "metadata": {"name": "kept", "annotations": annotations},
            "type": kind,
            "data": {"token": base64.b64encode(token.encode()).decode()},
        },
    )
    assert (await who(world, token))["username"] == "system:serviceaccount:default:bot"
    other = keys.sign({**written_for_secret("default", account, "kept"), "more": 1})
    assert await who(world, other) == 401
    await world.client("DELETE", "/api/v1/namespaces/default/secrets/kept")
    assert await who(world, token) == 401


async def test_others_may_check_our_tokens(world, bot):
    known = "/.well-known/openid-configuration"
    assert (await world.client("GET", known, token="ann")).status == 403
    token = await token_of(world)
    found = await world.client("GET", known, token=token)
    assert (found.status, found.json["issuer"]) == (200, ISSUER)
    assert found.json["jwks_uri"].endswith("/openid/v1/jwks")
    keys = await world.client("GET", "/openid/v1/jwks", token=token)
    assert keys.header("content-type") == "application/jwk-set+json"
    assert keys.json == world.api.services.accounts.keys.key_set()


# ------------------------------------------------------------ pods


async def test_a_namespace_comes_with_its_account(world):
    await world.create("/api/v1/namespaces", {"metadata": {"name": "new"}})
    assert world.registry.get(ObjectKey("serviceaccounts", "new", "default"))
    applied = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "applied"}}
    await world.client(
        "PATCH", "/api/v1/namespaces/applied?fieldManager=me", applied,
        content_type="application/apply-patch+yaml",
    )  # fmt: skip
    assert world.registry.get(ObjectKey("serviceaccounts", "applied", "default"))
    dry = {"metadata": {"name": "dry"}}
    assert (await world.client("POST", "/api/v1/namespaces?dryRun=All", dry)).status == 201
    assert world.store.get(ObjectKey("serviceaccounts", "dry", "default")) is None


async def test_pods_run_as_an_account_that_is_there(world):
    made = await world.create("/api/v1/namespaces/default/pods", pod())
    assert made["spec"]["serviceAccountName"] == made["spec"]["serviceAccount"] == "default"
    refused = await world.client(
        "POST", "/api/v1/namespaces/default/pods", pod("q", serviceAccountName="ghost")
    )
    assert (refused.status, refused.json["message"]) == (
        403,
        'pods "q" is forbidden: error looking up service account default/ghost: serviceaccount '
        '"ghost" not found',
    )


async def test_pods_get_the_pull_secrets_of_their_account(world):
    secrets = [{"name": "registry"}]
    await world.create(ACCOUNTS, {"metadata": {"name": "puller"}, "imagePullSecrets": secrets})
    pods = "/api/v1/namespaces/default/pods"
    made = await world.create(pods, pod(serviceAccountName="puller"))
    assert made["spec"]["imagePullSecrets"] == secrets
    own = [{"name": "own"}]
    made = await world.create(pods, pod("q", serviceAccountName="puller", imagePullSecrets=own))
    assert made["spec"]["imagePullSecrets"] == own
