"""uvicorn's HTTP protocol with one addition: the client's certificate.

uvicorn 0.54 does not put the peer certificate into the ASGI scope, so each connection puts a
`Peer` into its own copy of the state that becomes `scope["state"]`. Drop this when uvicorn
implements the ASGI TLS extension. The minor version of uvicorn is pinned because of it.
"""

import asyncio
import ssl

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from orchestrator.apiserver.authn import PEER_KEY, Peer


class PeerCertificateProtocol(HttpToolsProtocol):
    """Serves HTTP/1.1 and remembers who is at the other end."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as upstream
        """Called once for a connection, after its TLS handshake."""
        super().connection_made(transport)
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        der = tls.getpeercert(binary_form=True) if tls is not None else None
        self.app_state = {**self.app_state, PEER_KEY: Peer(der)}
