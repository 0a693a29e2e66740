"""shell/upstream/upstream_tls.py: the files behind a TLS connection."""

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from corsproxy.core.policy import Tls
from corsproxy.errors import StartError
from corsproxy.shell.upstream.upstream_tls import TlsContexts, check_tls


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def write(path: Path, *blobs: trustme.Blob) -> str:
    path.write_bytes(b"".join(blob.bytes() for blob in blobs))
    return str(path)


def test_contexts_verify_and_speak_http_1_1() -> None:
    context = TlsContexts().make(Tls())
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_verification_ends_only_where_it_is_switched_off() -> None:
    context = TlsContexts().make(Tls(verify=False))
    assert context.verify_mode is ssl.CERT_NONE
    assert not context.check_hostname


def test_a_ca_file_adds_to_the_authorities_of_the_system(ca: trustme.CA, tmp_path: Path) -> None:
    contexts = TlsContexts()
    plain = contexts.make(Tls())
    added = contexts.make(Tls(ca_file=write(tmp_path / "ca.pem", ca.cert_pem)))
    assert added.cert_store_stats()["x509"] == plain.cert_store_stats()["x509"] + 1


def test_a_context_is_current_until_a_file_changes(ca: trustme.CA, tmp_path: Path) -> None:
    path = write(tmp_path / "ca.pem", ca.cert_pem)
    tls, contexts = Tls(ca_file=path), TlsContexts()
    assert contexts.current(tls) is None
    first = contexts.make(tls)
    assert contexts.current(Tls(ca_file=path)) is first
    write(tmp_path / "ca.pem", trustme.CA().cert_pem, ca.cert_pem)
    assert contexts.current(tls) is None
    renewed = contexts.make(tls)
    assert contexts.current(tls) is renewed


async def test_many_who_ask_at_once_get_one_context() -> None:
    contexts = TlsContexts()
    made = await asyncio.gather(*(contexts.get(Tls()) for _ in range(8)))
    assert {id(context) for context in made} == {id(contexts.current(Tls()))}


def test_a_changed_file_that_cannot_be_used_changes_nothing(ca: trustme.CA, tmp_path: Path) -> None:
    path = write(tmp_path / "ca.pem", ca.cert_pem)
    tls, contexts = Tls(ca_file=path), TlsContexts()
    first = contexts.make(tls)
    Path(path).write_text("half a file")
    assert contexts.make(tls) is first
    Path(path).unlink()
    assert contexts.make(tls) is first


def test_files_that_cannot_be_used_are_named(ca: trustme.CA, tmp_path: Path) -> None:
    leaf, other = ca.issue_cert("client.test"), ca.issue_cert("other.test")
    cert = write(tmp_path / "cert.pem", leaf.cert_chain_pems[0])
    key = write(tmp_path / "key.pem", leaf.private_key_pem)
    wrong = write(tmp_path / "wrong.pem", other.private_key_pem)
    missing, text = str(tmp_path / "missing.pem"), str(tmp_path / "text.pem")
    Path(text).write_text("not PEM")
    check_tls(Tls(cert_file=cert, key_file=key))
    for tls, words in [
        (Tls(ca_file=missing), f"tls.ca_file {missing} cannot be used: no such file"),
        (Tls(ca_file=text), f"tls.ca_file {text} cannot be used"),
        (Tls(ca_file=str(tmp_path)), f"tls.ca_file {tmp_path} cannot be used"),
        (Tls(cert_file=missing, key_file=key), f"tls.cert_file {missing}"),
        (Tls(cert_file=cert, key_file=missing), f"tls.key_file {missing}"),
        (Tls(cert_file=cert), f"tls.cert_file {cert} cannot be used"),
        (Tls(cert_file=cert, key_file=wrong), "key values mismatch"),
    ]:
        with pytest.raises(StartError) as caught:
            check_tls(tls)
        assert words in str(caught.value)


def test_an_encrypted_key_is_refused_without_asking_the_terminal(
    ca: trustme.CA, tmp_path: Path
) -> None:
    leaf = ca.issue_cert("client.test")
    cert = write(tmp_path / "cert.pem", leaf.cert_chain_pems[0])
    key = tmp_path / "key.pem"
    plain = load_pem_private_key(leaf.private_key_pem.bytes(), None)
    key.write_bytes(
        plain.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"a password")
        )
    )
    with pytest.raises(StartError, match="key"):
        check_tls(Tls(cert_file=cert, key_file=str(key)))
