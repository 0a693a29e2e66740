"""Gateway API: manifests."""

import re
from typing import Any

import yaml

from tests.export.injection import PLAIN, file_with
from tests.export.policies import VALUES
from tests.export.reading import GOOD, exported, losses


def manifests(content: str) -> list[Any]:
    return list(yaml.safe_load_all(exported("gateway-api", content).text))


def test_a_gateway_a_route_and_a_service() -> None:
    kinds = [manifest["kind"] for manifest in manifests(GOOD)]
    assert kinds == ["Gateway", "HTTPRoute", "Service"]


def test_other_origins_have_no_back_end() -> None:
    _, route, _ = manifests(GOOD)
    allowed, refused, without = route["spec"]["rules"]
    assert "backendRefs" not in refused
    assert refused["matches"][0]["headers"][0]["value"] == "^.+$"
    expression = allowed["matches"][0]["headers"][0]["value"]
    assert re.search(expression, "https://app.example.com")
    assert not re.search(expression, "https://appxexample.com")
    assert next(each["type"] for each in without["filters"]) != "CORS"


def test_the_filter_comes_first() -> None:
    _, route, _ = manifests(GOOD)
    filters = route["spec"]["rules"][0]["filters"]
    assert filters[0]["type"] == "CORS"
    assert filters[0]["cors"]["allowOrigins"] == ["https://app.example.com"]


def test_pages_are_sandboxed_beside_the_upstreams_own_policy() -> None:
    content = """\
routes:
  - {path: /, upstream: "http://a.test", documents: sandbox, cors: {allow_origins: [https://a.example]}}
"""
    _, route, _ = manifests(content)
    forwarding = [rule for rule in route["spec"]["rules"] if "backendRefs" in rule]
    for rule in forwarding:
        (modifier,) = [each["responseHeaderModifier"] for each in rule["filters"]
                       if each["type"] == "ResponseHeaderModifier"]  # fmt: skip
        added = {"name": "Content-Security-Policy", "value": "sandbox allow-scripts allow-forms"}
        assert modifier["add"] == [added]
    assert forwarding
    assert any("documents: sandbox" in each for each in losses("gateway-api", content))


def test_values_cannot_break_out() -> None:
    plain, hard = (manifests(file_with(values)) for values in (PLAIN, VALUES))
    assert [each["kind"] for each in hard] == [each["kind"] for each in plain]
    (modifier, *_) = [each for each in hard[1]["spec"]["rules"][0]["filters"]
                      if each["type"] == "RequestHeaderModifier"]  # fmt: skip
    values = [field["value"] for field in modifier["requestHeaderModifier"]["set"]]
    assert values == list(VALUES)


def test_unsupported_values_are_left_out_and_reported() -> None:
    content = """\
upstream: http://127.0.0.1:9
cors:
  allow_origins:
    - https://pr-*.example.com
    - http://localhost:*
    - "null"
    - chrome-extension://abc
    - https://*.example.org
  allow_methods: [QUERY, PUT]
  max_age: 5
"""
    found = losses("gateway-api", content)
    assert [line.split(": ")[0] for line in found] == [
        "corsproxy.yaml:4", "corsproxy.yaml:5", "corsproxy.yaml:6", "corsproxy.yaml:7",
        "corsproxy.yaml:9",
    ]  # fmt: skip
    _, route, _ = manifests(content)
    granted = route["spec"]["rules"][0]["filters"][0]["cors"]
    assert granted["allowOrigins"] == ["https://*.example.org"]
    assert granted["allowMethods"] == ["PUT"]
