"""What others need to check our service accounts' tokens without asking us.

Source: Kubernetes, "Service account issuer discovery"; OpenID Connect Discovery 1.0.
"""

from typing import Any, Final

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from orchestrator.apiserver.accounts import AccountTokens
from orchestrator.credentials.signing import ALGORITHM

CONFIGURATION: Final = "/.well-known/openid-configuration"
KEYS: Final = "/openid/v1/jwks"
_CACHE: Final = {"cache-control": "public, max-age=3600"}


def discovery_routes(accounts: AccountTokens, public_url: str) -> list[HTTPRouteHandler]:
    """The two documents.

    Args:
        accounts: issuer and keys.
        public_url: where clients reach this server: "https://203.0.113.7:8080".
    """
    configuration: dict[str, Any] = {
        "issuer": accounts.issuer,
        "jwks_uri": f"{public_url}{KEYS}",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
    }

    @get(CONFIGURATION, sync_to_thread=False, tags=["server"], summary="Who issues tokens, and how")
    def openid_configuration() -> Response[bytes]:
        return Response(
            msgspec.json.encode(configuration), media_type="application/json", headers=_CACHE
        )

    @get(KEYS, sync_to_thread=False, tags=["server"], summary="Public keys that check tokens")
    def key_set() -> Response[bytes]:
        return Response(
            msgspec.json.encode(accounts.keys.key_set()),
            media_type="application/jwk-set+json",
            headers=_CACHE,
        )

    return [openid_configuration, key_set]
