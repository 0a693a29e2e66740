"""A certificate's files, as `check` and the start examine them."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from trustme import CA

from corsproxy.config.https import CertificateFault
from corsproxy.core.policy import ListenerTls
from corsproxy.shell.certificates.files import faults, server_context, shown_certificate
from tests.certificates import Pair, write_pair

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def ca() -> CA:
    return CA()


def found(pair: Pair) -> list[CertificateFault]:
    return faults(ListenerTls(str(pair.cert_file), str(pair.key_file)), NOW)


def faults_of(pair: Pair) -> list[tuple[str, str, str]]:
    return [(fault.severity, fault.code, fault.key) for fault in found(pair)]


def test_a_matching_pair_has_no_fault(tmp_path: Path, ca: CA) -> None:
    assert faults_of(write_pair(tmp_path, ca)) == []


def test_one_file_may_hold_both(tmp_path: Path, ca: CA) -> None:
    pair = write_pair(tmp_path, ca)
    pair.key_file.write_bytes(pair.key_file.read_bytes() + pair.cert_file.read_bytes())
    assert faults_of(pair._replace(cert_file=pair.key_file)) == []


def test_a_missing_file_is_named(tmp_path: Path, ca: CA) -> None:
    pair = write_pair(tmp_path, ca)
    pair.key_file.unlink()
    assert faults_of(pair) == [("error", "certificate-file", "key_file")]
    assert "no such file" in found(pair)[0].message


def test_a_key_of_another_certificate_does_not_fit(tmp_path: Path, ca: CA) -> None:
    pair, other = write_pair(tmp_path, ca), write_pair(tmp_path, ca, stem="other")
    mixed = pair._replace(key_file=other.key_file)
    assert faults_of(mixed) == [("error", "certificate-file", "key_file")]


@pytest.mark.parametrize("key", ["cert_file", "key_file"])
def test_a_file_that_is_not_pem_is_named(tmp_path: Path, ca: CA, key: str) -> None:
    pair = write_pair(tmp_path, ca)
    getattr(pair, key).write_text("no certificate\n")
    assert faults_of(pair) == [("error", "certificate-file", key)]


def test_an_expired_certificate_is_an_error(tmp_path: Path, ca: CA) -> None:
    pair = write_pair(tmp_path, ca, ends=NOW - timedelta(days=1))
    assert faults_of(pair) == [("error", "certificate-expired", "cert_file")]


def test_a_certificate_that_ends_soon_is_a_warning(tmp_path: Path, ca: CA) -> None:
    pair = write_pair(tmp_path, ca, ends=NOW + timedelta(days=3, hours=1))
    assert faults_of(pair) == [("warning", "certificate-expires", "cert_file")]
    assert "in 3 days" in found(pair)[0].message


def test_a_key_that_everybody_can_read_is_a_warning(tmp_path: Path, ca: CA) -> None:
    pair = write_pair(tmp_path, ca)
    os.chmod(pair.key_file, 0o644)
    assert faults_of(pair) == [("warning", "readable-key", "key_file")]


def test_the_shown_certificate_is_what_clients_see(tmp_path: Path, ca: CA) -> None:
    pair = write_pair(tmp_path, ca, "proxy.test")
    shown = shown_certificate(
        server_context(str(pair.cert_file), str(pair.key_file)), str(pair.cert_file)
    )
    assert shown["subjectAltName"] == (("DNS", "proxy.test"),)
