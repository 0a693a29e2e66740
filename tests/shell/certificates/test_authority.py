"""Local authorities: which is used, what ours may sign, who can read its key."""

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from corsproxy.errors import StartError
from corsproxy.shell.certificates.authority import CERTIFICATE, KEY, find_authority, issue
from corsproxy.shell.certificates.directories import Directories

NOW = datetime.now(UTC)
NAMES = ("localhost", "127.0.0.1", "::1", "app.test")


@pytest.fixture
def directories(tmp_path: Path) -> Directories:
    return Directories(tmp_path / "corsproxy", (tmp_path / "caroot", tmp_path / "mkcert"), tmp_path)


def trusts(authority_pem: bytes, context: ssl.SSLContext, name: str) -> bool:
    """Whether a client that trusts the authority takes the certificate for `name`."""
    client_context = ssl.create_default_context(cadata=authority_pem.decode())
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                return False
    return client.getpeercert() is not None


def leaf_of(context: ssl.SSLContext) -> x509.Certificate:
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    der = client.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


def test_it_is_made_once_and_only_its_user_can_read_the_key(directories: Directories) -> None:
    told: list[str] = []
    authority = find_authority(directories, NOW, told)
    assert authority.is_ours
    assert stat.S_IMODE((directories.data / KEY).stat().st_mode) == 0o600
    assert stat.S_IMODE(directories.data.stat().st_mode) == 0o700
    assert find_authority(directories, NOW, told).certificate == authority.certificate
    assert told == []


def test_it_signs_for_this_machine(directories: Directories) -> None:
    authority = find_authority(directories, NOW, [])
    context = issue(authority, NAMES, NOW)
    for name in NAMES:
        assert trusts(authority.pem, context, name)


@pytest.mark.parametrize("name", ["example.com", "localhost.example.com", "10.0.0.1", "mytest"])
def test_it_cannot_sign_for_other_names(directories: Directories, name: str) -> None:
    authority = find_authority(directories, NOW, [])
    assert not trusts(authority.pem, issue(authority, [name], NOW), name)


def test_a_certificate_has_what_browsers_ask_for(directories: Directories) -> None:
    leaf = leaf_of(issue(find_authority(directories, NOW, []), NAMES, NOW))
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(days=397)
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "app.test"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]


def test_mkcerts_root_is_used_where_there_is_one(directories: Directories) -> None:
    ours = find_authority(directories, NOW, [])
    caroot, mkcert = directories.mkcert
    directories.data.rename(mkcert)
    found = find_authority(directories, NOW, [])
    assert (found.is_ours, found.file) == (False, mkcert / CERTIFICATE)
    assert found.certificate == ours.certificate
    mkcert.rename(caroot)
    assert find_authority(directories, NOW, []).file == caroot / CERTIFICATE
    assert not directories.data.exists()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda root: (root / KEY).unlink(), "there is no rootCA-key.pem"),
        (lambda root: (root / KEY).write_text("x"), "is not a private key"),
        (lambda root: (root / CERTIFICATE).write_text("x"), "is not a certificate"),
    ],
)
def test_an_unusable_root_is_passed_over_and_reported(
    directories: Directories, spoil: object, said: str
) -> None:
    find_authority(directories, NOW, [])
    root = directories.mkcert[0]
    directories.data.rename(root)
    assert callable(spoil)
    spoil(root)
    told: list[str] = []
    assert find_authority(directories, NOW, told).is_ours
    assert said in told[0]


def test_an_expired_root_is_passed_over_and_reported(directories: Directories) -> None:
    find_authority(directories, NOW - timedelta(days=4000), [])
    directories.data.rename(directories.mkcert[0])
    told: list[str] = []
    assert find_authority(directories, NOW, told).is_ours
    assert "valid from" in told[0]


def test_ours_is_replaced_when_it_has_ended(directories: Directories) -> None:
    before = find_authority(directories, NOW - timedelta(days=4000), [])
    told: list[str] = []
    after = find_authority(directories, NOW, told)
    assert after.certificate != before.certificate
    assert "corsproxy trust" in told[0]


def test_an_unwritable_directory_is_a_start_error(directories: Directories) -> None:
    directories.data.parent.mkdir(exist_ok=True)
    directories.data.write_text("a file where a directory should be")
    with pytest.raises(StartError, match="cannot write the local authority into"):
        find_authority(directories, NOW, [])
