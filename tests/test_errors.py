"""Failures that users and peers can cause have one base, and keep their details."""

from corsproxy.config.problems import ConfigError
from corsproxy.errors import CorsproxyError, StartError, UpstreamError, UpstreamFault


def test_every_failure_has_the_same_base() -> None:
    for kind in (ConfigError, StartError, UpstreamError):
        assert issubclass(kind, CorsproxyError)


def test_upstream_error_keeps_its_fault_and_detail() -> None:
    error = UpstreamError(UpstreamFault.DNS, "no such name")
    assert (error.fault, error.detail) == (UpstreamFault.DNS, "no such name")
    assert str(error) == "upstream-name-not-found: no such name"
