"""The keys of the whole process. Refused values are in broken/."""

from dataclasses import fields
from ipaddress import ip_network

import pytest

from corsproxy.core.policy import Limits, Log, Policy
from tests.config.reading import MINIMAL, NAME, codes_of, policy_of, route_text


def test_defaults_are_those_of_the_policy() -> None:
    policy = policy_of(MINIMAL)
    bare = Policy(policy.routes, policy.default_cors)
    for field in fields(Policy):
        if field.name not in ("listen", "admin", "allowed_hosts_source"):
            assert getattr(policy, field.name) == getattr(bare, field.name)


def test_every_limit_has_a_key_of_its_name() -> None:
    policy = policy_of(
        f"""{MINIMAL}
limits:
  head_timeout: 1s
  body_timeout: 2s
  write_timeout: 3s
  keepalive_timeout: 0
  upstream_keepalive: 0s
  upstream_max_age: 9s
  queue_timeout: 250ms
  target: 1KiB
  field: 2KB
  field_section: 3000
  fields: 4
  upstream_field_section: 5KiB
  body: 6MB
  connections: 7
  in_flight: 8
"""
    )
    assert policy.limits == Limits(
        1.0, 2.0, 3.0, 0.0, 0.0, 9.0, 0.25, 1024, 2000, 3000, 4, 5120, 6_000_000, 7, 8
    )


def test_an_optional_limit_accepts_none() -> None:
    policy = policy_of(f"{MINIMAL}limits: {{body: none, connections: none}}\n")
    assert (policy.limits.body, policy.limits.connections) == (None, None)


@pytest.mark.parametrize("key", ["head_timeout", "target", "fields", "in_flight"])
def test_a_required_limit_refuses_none(key: str) -> None:
    assert len(codes_of(f"{MINIMAL}limits: {{{key}: none}}\n")) == 1


def test_the_log_has_two_words() -> None:
    assert policy_of(f"{MINIMAL}log: {{format: json, requests: denied}}\n").log == Log(
        "json", "denied"
    )


def test_allowed_hosts_are_names_in_lower_case() -> None:
    policy = policy_of(f"{MINIMAL}allowed_hosts: [Shop.test, api]\n")
    assert policy.allowed_hosts == {"shop.test", "api"}
    assert not policy.any_host
    assert policy.allowed_hosts_source == (NAME, 4, 16)


def test_every_host_is_a_warning() -> None:
    assert codes_of(f'{MINIMAL}allowed_hosts: ["*"]\n') == ["any-host"]


def test_trusted_proxies_are_networks() -> None:
    text = route_text("preserve_host: true")
    policy = policy_of(f'{text}trusted_proxies: [10.0.0.0/8, 192.168.1.1, "fd00::/8"]\n')
    assert policy.trusted_proxies == tuple(
        map(ip_network, ("10.0.0.0/8", "192.168.1.1", "fd00::/8"))
    )


@pytest.mark.parametrize("key", ["cookies: auto", "forwarded: auto", "preserve_host: false"])
def test_a_trusted_report_that_no_upstream_gets_is_a_warning(key: str) -> None:
    assert codes_of(f"{route_text(key)}trusted_proxies: 10.0.0.0/8\n") == ["story-without-host"]
    assert codes_of(f"{MINIMAL}trusted_proxies: 10.0.0.0/8\n") == ["story-without-host"]


@pytest.mark.parametrize("key", ["preserve_host: true", "forwarded: on", "forwarded: off"])
def test_a_trusted_report_that_is_used_or_dropped_on_purpose_is_fine(key: str) -> None:
    assert codes_of(f"{route_text(key)}trusted_proxies: 10.0.0.0/8\n") == []


@pytest.mark.parametrize(
    ("value", "via"),
    [("true", "corsproxy"), ("false", None), ("my-proxy", "my-proxy"), ('"1"', "1")],
)
def test_via_is_a_switch_or_a_name(value: str, via: str | None) -> None:
    assert policy_of(f"{MINIMAL}via: {value}\n").via == via


def test_the_times_of_a_shutdown() -> None:
    policy = policy_of(f"{MINIMAL}shutdown_grace: 1m\ndrain_delay: 5\n")
    assert (policy.shutdown_grace, policy.drain_delay) == (60.0, 5.0)


@pytest.mark.parametrize("value", ["1", '"1"'])
def test_version_1_is_the_one_there_is(value: str) -> None:
    policy_of(f"version: {value}\n{MINIMAL}")


def test_keys_that_start_with_x_are_not_read() -> None:
    policy_of(f"x-anything: {{a: [1, {{b: null}}]}}\n{MINIMAL}")
    assert codes_of(f"{MINIMAL}X-other: 1\n") == ["unknown-key"]
