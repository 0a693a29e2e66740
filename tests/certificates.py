"""Certificates for tests, in files."""

import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from trustme import CA, LeafCert


class Pair(NamedTuple):
    """A certificate and its key in files of their own."""

    cert_file: Path
    key_file: Path
    ca_file: Path


def write_pair(
    directory: Path,
    ca: CA,
    *names: str,
    stem: str = "server",
    ends: datetime | None = None,
) -> Pair:
    """Write a certificate for `names` by `ca`; it has ended, or ends soon, where `ends` says so."""
    leaf: LeafCert = ca.issue_cert(
        *(names or ("localhost", "127.0.0.1", "::1")),
        not_after=ends or datetime.now(UTC) + timedelta(days=90),
    )
    pair = Pair(directory / f"{stem}.pem", directory / f"{stem}-key.pem", directory / "ca.pem")
    pair.cert_file.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    pair.key_file.write_bytes(leaf.private_key_pem.bytes())
    os.chmod(pair.key_file, 0o600)
    ca.cert_pem.write_to_path(str(pair.ca_file))
    return pair


def contexts(ca: CA, *protocols: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context for localhost, and one of clients that trust it; both offer
    `protocols` by ALPN."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    ca.issue_cert("localhost", "127.0.0.1").configure_cert(server)
    ca.configure_trust(client)
    if protocols:
        server.set_alpn_protocols(protocols)
        client.set_alpn_protocols(protocols)
    return server, client
