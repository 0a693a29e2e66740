"""The certificate that listeners present: always the current one."""

import os
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from trustme import CA

from corsproxy.core.policy import ListenAddress, ListenerTls, Policy
from corsproxy.errors import StartError
from corsproxy.shell.certificates.served import ServedCertificate, prepare
from tests.certificates import Pair, write_pair
from tests.policies import policy
from tests.shell.certificates.test_authority import leaf_of

HTTPS = (ListenAddress("localhost", 0, https=True),)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("CAROOT", raising=False)
    return tmp_path / "data"


@pytest.fixture(scope="module")
def ca() -> CA:
    return CA()


def given(pair: Pair) -> Policy:
    tls = ListenerTls(str(pair.cert_file), str(pair.key_file))
    return policy(listen=HTTPS, listener_tls=tls)


def serial_of(context: ssl.SSLContext) -> int:
    return leaf_of(context).serial_number


def test_files_that_change_are_read_again(tmp_path: Path, ca: CA) -> None:
    told: list[str] = []
    served = ServedCertificate(given(write_pair(tmp_path, ca)), told.append)
    before = served.current()
    assert served.current() is before
    write_pair(tmp_path, ca)
    assert serial_of(served.current()) != serial_of(before)
    assert told == []


def test_broken_files_change_nothing_and_are_reported_once(tmp_path: Path, ca: CA) -> None:
    told: list[str] = []
    pair = write_pair(tmp_path, ca)
    served = ServedCertificate(given(pair), told.append)
    before = served.current()
    pair.cert_file.write_text("half of a cert")
    assert served.current() is before
    assert served.current() is before
    assert len(told) == 1
    os.unlink(pair.key_file)
    assert served.current() is before
    write_pair(tmp_path, ca)
    assert served.current() is not before


def test_other_files_of_a_new_policy_are_shown(tmp_path: Path, ca: CA) -> None:
    served = ServedCertificate(given(write_pair(tmp_path, ca)), print)
    before = serial_of(served.current())
    served.adopt(given(write_pair(tmp_path, ca, stem="other")))
    assert serial_of(served.current()) != before


def test_a_local_certificate_follows_the_names() -> None:
    rules = policy(listen=HTTPS)
    served = ServedCertificate(rules, print)
    before = served.current()
    assert served.current() is before
    served.adopt(replace(rules, allowed_hosts=frozenset({"app.test"})))
    assert "app.test" in str(leaf_of(served.current()).extensions)


def test_unusable_files_prevent_the_start(tmp_path: Path, ca: CA) -> None:
    pair = write_pair(tmp_path, ca)
    os.unlink(pair.key_file)
    with pytest.raises(StartError, match="no such file"):
        ServedCertificate(given(pair), print)


def test_an_unwritable_data_directory_prevents_the_start(home: Path) -> None:
    home.write_text("a file")
    with pytest.raises(StartError, match="cannot write"):
        prepare(policy(listen=HTTPS))
