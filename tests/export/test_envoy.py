"""Envoy: what is written."""

from typing import Any

import pytest
import yaml

from corsproxy.export.envoy.routes import formatted
from tests.export.injection import PLAIN, file_with, shape
from tests.export.policies import VALUES
from tests.export.reading import GOOD, exported, losses


def loaded(text: str) -> Any:
    return yaml.safe_load(exported("envoy", text).text)


def routes_of(bootstrap: Any) -> list[Any]:
    (chain,) = bootstrap["static_resources"]["listeners"][0]["filter_chains"]
    config = chain["filters"][0]["typed_config"]
    found: list[Any] = config["route_config"]["virtual_hosts"][0]["routes"]
    return found


def test_percent_signs_are_escaped() -> None:
    assert formatted("%REQ(origin)%") == "%%REQ(origin)%%"


def test_values_cannot_break_out() -> None:
    plain, hard = (loaded(file_with(values)) for values in (PLAIN, VALUES))
    assert shape(hard) == shape(plain)
    (first, *_) = [route for route in routes_of(hard) if "route" in route]
    fields = [field["header"] for field in first["request_headers_to_add"]]
    values = [field["value"] for field in fields if field["key"][2:3].isdigit()]
    assert values == [formatted(value) for value in VALUES]


def test_its_cors_filter_is_not_used() -> None:
    text = exported("envoy", GOOD).text
    assert "filters.http.cors" not in text
    assert "cors_policy" not in text


def test_an_upstream_over_tls_is_verified() -> None:
    bootstrap = loaded(GOOD.replace("http://127.0.0.1:9", "https://api.example.com"))
    (cluster,) = bootstrap["static_resources"]["clusters"]
    context = cluster["transport_socket"]["typed_config"]["common_tls_context"]
    (name,) = context["validation_context"]["match_typed_subject_alt_names"]
    assert name == {"san_type": "DNS", "matcher": {"exact": "api.example.com"}}
    assert cluster["type"] == "STRICT_DNS"


def test_localhost_is_both_addresses() -> None:
    (listener,) = loaded(GOOD)["static_resources"]["listeners"]
    addresses = [listener["address"], *(each["address"] for each in
                 listener["additional_addresses"])]  # fmt: skip
    assert [each["socket_address"]["address"] for each in addresses] == ["127.0.0.1", "::1"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_listener_has_a_certificate_where_it_is_https(scheme: str) -> None:
    text = f"listen: {scheme}://127.0.0.1:8443\n{GOOD}" if scheme == "https" else GOOD
    text += "tls: {cert_file: c.pem, key_file: k.pem}\n" if scheme == "https" else ""
    (listener,) = loaded(text)["static_resources"]["listeners"]
    assert ("transport_socket" in listener["filter_chains"][0]) == (scheme == "https")


def test_losses_have_lines() -> None:
    assert losses("envoy", f"{GOOD}limits: {{body: 1MiB}}\n")[-1] == (
        "corsproxy.yaml:3: limits.body: bodies are not limited"
    )
