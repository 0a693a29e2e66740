"""Local authorities: mkcert's if it has a root, otherwise our own.

Our own can only vouch for this machine, by name constraints (RFC 5280, 4.2.1.10) that browsers
honour, so its key is of no use against any other site. Only the user can read the key's file,
and nothing is ever written where mkcert keeps its root.
"""

import os
import secrets
import socket
import ssl
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from corsproxy.core.advice.operation import DATA_DIRECTORY, TRUST_AGAIN
from corsproxy.errors import StartError
from corsproxy.shell.certificates.directories import Directories
from corsproxy.shell.certificates.files import server_context

if sys.platform != "win32":
    import fcntl

CERTIFICATE: Final = "rootCA.pem"
KEY: Final = "rootCA-key.pem"
"""The file names, the same as mkcert's."""

LEAF_LIFETIME: Final = timedelta(days=397)
"""Apple accepts at most 825 days from any authority, and public ones have 398."""
_LIFETIME: Final = timedelta(days=3650)
# Clocks differ, especially in containers.
_BACKDATED: Final = timedelta(hours=1)
_CONSTRAINTS: Final = x509.NameConstraints(
    permitted_subtrees=[
        # A name also permits all names below it.
        x509.DNSName("localhost"),
        x509.DNSName("test"),
        x509.IPAddress(ip_network("127.0.0.0/8")),
        x509.IPAddress(ip_network("::1/128")),
    ],
    excluded_subtrees=None,
)


class Authority(NamedTuple):
    """The authority that signs the listeners' certificates."""

    certificate: x509.Certificate
    key: CertificateIssuerPrivateKeyTypes
    file: Path
    """Where the certificate is."""
    is_ours: bool
    """Not mkcert's."""

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def name(self) -> str:
        """Its name in browsers and stores."""
        [found] = self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[:1]
        return str(found.value)


class _PassedOverError(Exception):
    """A root that cannot be used; the message says why."""


def find_authority(directories: Directories, now: datetime, tell: list[str]) -> Authority:
    """Return the authority in use, creating one if there is none. Appends to `tell` which roots
    were passed over, and why.

    Raises StartError if it cannot be created.
    """
    return known_authority(directories, now, tell) or _made(directories.data, now)


def known_authority(directories: Directories, now: datetime, tell: list[str]) -> Authority | None:
    """Return the authority in use; None if there is none yet."""
    for directory in (*directories.mkcert, directories.data):
        is_ours = directory == directories.data
        if not os.path.exists(directory / CERTIFICATE):
            continue
        try:
            return _read(directory, now, is_ours=is_ours)
        except _PassedOverError as error:
            whose = "the authority" if is_ours else "mkcert's root"
            then = f"replaced: {TRUST_AGAIN}" if is_ours else "not used"
            tell.append(f"{whose} in {directory} is {then} ({error})")
    return None


def _made(directory: Path, now: datetime) -> Authority:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(directory):
            # Another process may have been faster.
            with suppress(_PassedOverError):
                return _read(directory, now, is_ours=True)
            _make(directory, now)
    except OSError as error:
        raise StartError(
            f"cannot write the local authority into {directory}: {_reason(error)}; "
            + DATA_DIRECTORY
        ) from error
    try:
        return _read(directory, now, is_ours=True)
    except _PassedOverError as error:
        raise StartError(f"the authority in {directory} cannot be used: {error}") from error


def _read(directory: Path, now: datetime, *, is_ours: bool) -> Authority:
    """Raises _PassedOverError."""
    try:
        certificate = x509.load_pem_x509_certificate((directory / CERTIFICATE).read_bytes())
        ends, begins = certificate.not_valid_after_utc, certificate.not_valid_before_utc
    except OSError as error:
        raise _PassedOverError(_reason(error)) from error
    except ValueError as error:
        raise _PassedOverError(f"{CERTIFICATE} is not a certificate") from error
    if not begins - _BACKDATED <= now < ends:
        raise _PassedOverError(f"it is valid from {begins:%Y-%m-%d} to {ends:%Y-%m-%d}")
    if not os.path.exists(directory / KEY):
        raise _PassedOverError(f"there is no {KEY} beside it")
    try:
        key = load_pem_private_key((directory / KEY).read_bytes(), None)
    except OSError as error:
        raise _PassedOverError(_reason(error)) from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _PassedOverError(f"{KEY} is not a private key, or it is encrypted") from error
    if key.public_key() != certificate.public_key():
        raise _PassedOverError(f"{KEY} is not its key")
    return Authority(certificate, key, directory / CERTIFICATE, is_ours)  # type: ignore[arg-type] # keys that cannot sign have no certificate


def _make(directory: Path, now: datetime) -> None:
    """Write a new authority into `directory`. Raises OSError."""
    key = generate_private_key(SECP256R1())
    whose = socket.gethostname().partition(".")[0][:32] or "this machine"
    title = f"corsproxy on {whose} ({secrets.token_hex(3)})"
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "corsproxy local authority"),
            x509.NameAttribute(NameOID.COMMON_NAME, title),
        ]
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(_CONSTRAINTS, critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write(directory / KEY, pem, 0o600)
    _write(directory / CERTIFICATE, certificate.public_bytes(Encoding.PEM), 0o644)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keep other processes from creating an authority in the same directory. Raises OSError."""
    with (directory / ".lock").open("wb") as lock:
        if sys.platform != "win32":
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a file atomically, so that no other process reads half of it."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if sys.platform != "win32":
                os.fchmod(file.fileno(), mode)
        os.replace(name, path)
    except OSError:
        os.unlink(name)
        raise


def issue(authority: Authority, names: Sequence[str], now: datetime) -> ssl.SSLContext:
    """Return a context with a new certificate for `names`, host names and addresses.

    Raises StartError if there is no room for its file.
    """
    key = generate_private_key(SECP256R1())
    issuer = authority.certificate
    ends = min(now + LEAF_LIFETIME - _BACKDATED, issuer.not_valid_after_utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"corsproxy {names[0]}")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(max(now - _BACKDATED, issuer.not_valid_before_utc))
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName(list(_general_names(names))), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(_key_identifier(issuer), critical=False)
        .sign(authority.key, SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return _context(pem + certificate.public_bytes(Encoding.PEM))


def _context(pem: bytes) -> ssl.SSLContext:
    """OpenSSL reads keys only from files, so this one exists only while it is read."""
    try:
        with tempfile.TemporaryDirectory(prefix="corsproxy-") as directory:
            path = os.path.join(directory, "leaf.pem")
            with open(path, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                file.write(pem)
            return server_context(path, path)
    except OSError as error:
        raise StartError(f"cannot make a certificate: {_reason(error)}") from error


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_names(names: Sequence[str]) -> Iterator[x509.GeneralName]:
    for name in names:
        try:
            yield x509.IPAddress(ip_address(name))
        except ValueError:
            yield x509.DNSName(name)


def _key_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        found = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())  # type: ignore[arg-type] # as above
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(found.value)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
