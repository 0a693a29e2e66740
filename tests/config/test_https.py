"""`tls` and `http2` of the listeners. Refused values are in broken/listeners.txt."""

import pytest

from corsproxy.config.https import CertificateFault, certificate_names
from corsproxy.config.problems import ConfigError
from corsproxy.config.reader import read_policy
from corsproxy.core.policy import ListenerTls
from corsproxy.core.source import Source
from tests.config.reading import DIRECTORY, MINIMAL, NAME, codes_of, policy_of, problems_of

HTTPS = f"{MINIMAL}listen: https://localhost:8443\n"


def test_a_certificate_is_looked_for_beside_the_file() -> None:
    policy = policy_of(f"{HTTPS}tls: {{cert_file: cert.pem, key_file: /keys/key.pem}}\n")
    assert policy.listener_tls == ListenerTls(
        f"{DIRECTORY}/cert.pem", "/keys/key.pem", Source(NAME, 5, 6)
    )
    assert policy.http2


def test_http2_can_be_left_out() -> None:
    assert not policy_of(f"{HTTPS}http2: false\n").http2


@pytest.mark.parametrize(
    "listen",
    [
        "https://localhost:0",
        "https://127.0.0.1:8443",
        "https://127.0.0.2:8443",
        "'https://[::1]:8443'",
        "https://app.localhost:8443",
        "https://app.test:8443",
        "[localhost:8010, https://localhost:8443]",
        "[0.0.0.0:8010, https://localhost:8443]",
    ],
)
def test_on_loopback_no_certificate_is_needed(listen: str) -> None:
    assert codes_of(f"{MINIMAL}listen: {listen}\n") == []


@pytest.mark.parametrize(
    "listen",
    [
        "https://0.0.0.0:8443",
        "'https://[::]:8443'",
        "https://192.168.1.5:8443",
        "https://proxy.example:8443",
        "https://localhost.example:8443",
        "https://mytest:8443",
    ],
)
def test_beyond_loopback_a_certificate_is_required(listen: str) -> None:
    assert codes_of(f"{MINIMAL}listen: {listen}\n") == ["https-without-tls"]
    given = "tls: {cert_file: cert.pem, key_file: key.pem}\n"
    assert codes_of(f"{MINIMAL}listen: {listen}\n{given}") == []


def test_tls_without_an_https_listener_is_a_warning() -> None:
    [problem] = problems_of(f"{MINIMAL}tls: {{cert_file: cert.pem, key_file: key.pem}}\n")
    assert (problem.severity, problem.code) == ("warning", "tls-without-listener")


@pytest.mark.parametrize(("severity", "refused"), [("error", True), ("warning", False)])
def test_file_problems_point_at_their_keys(severity: str, refused: bool) -> None:
    fault = CertificateFault(
        "error" if severity == "error" else "warning", "a-code", "key_file", "it is bad", "mend it"
    )
    text = f"{HTTPS}tls:\n  cert_file: cert.pem\n  key_file: key.pem\n"
    try:
        found = read_policy(text, NAME, {}, DIRECTORY, check_certificate=lambda _: [fault]).warnings
    except ConfigError as error:
        found = error.problems
        assert refused
    else:
        assert not refused
    [problem] = found
    assert (problem.code, problem.source) == ("a-code", (NAME, 7, 13))
    assert problem.message == "`tls.key_file`: it is bad"


def test_a_certificate_names_this_machine_and_its_local_names() -> None:
    listen = "listen: [https://127.0.0.2:8443, https://www.test:8443, app:8010]\n"
    policy = policy_of(f"{MINIMAL}{listen}allowed_hosts: [app.test]\n")
    assert certificate_names(policy) == (
        "localhost", "127.0.0.1", "::1", "127.0.0.2", "app.test", "www.test",
    )  # fmt: skip
