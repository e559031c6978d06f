"""Ingress rules on a real HAProxy: hosts, wildcards, path types, certificates."""

import asyncio
import base64
import datetime
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from orchestrator.reconcile.intents import Patch, Record

from .loadbalancer_backends import ask
from .loadbalancer_world import World
from .test_haproxy import world  # noqa: F401

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


async def serving(world: World, *names: str) -> None:  # noqa: F811
    for name in names:
        (backend,) = await world.start(name)
        await world.service(name)
        await world.slice(name, backend)


async def test_hosts_and_paths(world: World) -> None:  # noqa: F811
    await serving(world, "shop", "cart", "exact", "wild", "any", "web")
    await world.ingress(
        "one",
        ("shop.example.com", "Prefix", "/", "shop"),
        ("shop.example.com", "Prefix", "/cart/", "cart"),
        ("shop.example.com", "Exact", "/cart/one", "exact"),
        ("*.example.com", "Prefix", "/", "wild"),
        ("", "Prefix", "/any", "any"),
    )
    await world.step()
    for path, host, expected in (
        ("/", "shop.example.com", "shop"),
        ("/cartoon", "shop.example.com", "shop"),
        ("/cart", "SHOP.example.com:80", "cart"),
        ("/cart/", "shop.example.com", "cart"),
        ("/cart/two?x=1", "shop.example.com", "cart"),
        ("/cart/one", "shop.example.com", "exact"),
        ("/cart/one/", "shop.example.com", "cart"),
        ("/x", "other.example.com", "wild"),
        ("/any/thing", "nobody.example.org", "any"),
        ("/web/x", "nobody.example.org", "web"),
        ("/any", "web.default", "web"),
    ):
        assert await ask(world.port, path, host) == (200, expected), (host, path)
    assert (await ask(world.port, "/x", "a.b.example.com"))[0] == 404
    paths = next(b.paths for b in world.backends if b.name == "cart")
    assert paths == ["/cart", "/cart/", "/cart/two?x=1", "/cart/one/"]
    status = [i for i in world.intents if isinstance(i, Patch) and i.subresource == "status"]
    assert status[0].patch == {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}


async def test_a_default_backend_and_rules_that_lead_nowhere(world: World) -> None:  # noqa: F811
    await serving(world, "rest")
    default = {"service": {"name": "rest", "port": {"name": "http"}}}
    await world.ingress("one", ("a.example.com", "Prefix", "/", "gone"), defaultBackend=default)
    await world.step()
    assert (await ask(world.port, "/", "a.example.com"))[0] == 503
    assert await ask(world.port, "/x", "b.example.com") == (200, "rest")
    told = [i for i in world.intents if isinstance(i, Record)]
    assert [(i.about.name, i.message) for i in told] == [("one", "service gone is not there")]
    await serving(world, "gone")
    await world.step()
    assert await ask(world.port, "/", "a.example.com") == (200, "gone")


async def test_the_class_decides(world: World) -> None:  # noqa: F811
    await serving(world, "web")
    resource = "ingressclasses.networking.k8s.io"
    await world.put("IngressClass", resource, "ours", spec={"controller": "orch.dev/load-balancer"})
    await world.put("IngressClass", resource, "theirs", spec={"controller": "example.com/other"})
    await world.ingress("a", ("a.example", "Prefix", "/", "web"), ingressClassName="ours")
    await world.ingress("b", ("b.example", "Prefix", "/", "web"), ingressClassName="theirs")
    await world.step()
    assert (await ask(world.port, "/", "a.example"))[0] == 200
    assert (await ask(world.port, "/", "b.example"))[0] == 404


def secret(host: str, other_key: bool = False) -> dict[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(NOW).not_valid_after(NOW.replace(year=2100))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    shown = ec.generate_private_key(ec.SECP256R1()) if other_key else key
    pem = shown.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = made.public_bytes(Encoding.PEM)
    return {k: base64.b64encode(v).decode() for k, v in (("tls.crt", chain), ("tls.key", pem))}


async def certificate_for(port: int, host: str) -> str:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=host)
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return x509.load_der_x509_certificate(found).subject.rfc4514_string()


async def test_certificates_by_host_name(world: World) -> None:  # noqa: F811
    await serving(world, "web")
    for name in ("a", "b"):
        await world.put("Secret", "secrets", name, data=secret(f"{name}.example"))
    await world.put("Secret", "secrets", "bad", data=secret("bad.example", other_key=True))
    tls = [{"hosts": [f"{n}.example"], "secretName": n} for n in ("a", "b", "bad", "none")]
    await world.ingress("one", ("a.example", "Prefix", "/", "web"), tls=tls)
    await world.step()
    assert await certificate_for(world.https_port, "a.example") == "CN=a.example"
    assert await certificate_for(world.https_port, "b.example") == "CN=b.example"
    told = {i.message for i in world.intents if isinstance(i, Record)}
    assert told == {
        "secret none is not there",
        "secret bad holds a key in tls.key that is not that of the certificate in tls.crt",
    }
    keys = sorted((world.folder / "certificates.d").glob("*"))
    assert [(k.name, k.stat().st_mode & 0o777) for k in keys] == [
        ("default_a.pem", 0o600), ("default_b.pem", 0o600),
    ]  # fmt: skip
    await world.put("Secret", "secrets", "a", data=secret("new.example"))
    await world.ingress("one", ("a.example", "Prefix", "/", "web"), tls=tls[:1])
    await world.step()
    assert await certificate_for(world.https_port, "new.example") == "CN=new.example"
    assert [k.name for k in (world.folder / "certificates.d").glob("*")] == ["default_a.pem"]
