"""Traefik: both documents."""

from typing import Any

import yaml

from corsproxy.export.traefik.rules import text
from tests.export.injection import PLAIN, file_with, shape
from tests.export.policies import VALUES
from tests.export.reading import GOOD, exported, losses


def documents(content: str) -> tuple[Any, Any]:
    static, dynamic = yaml.safe_load_all(exported("traefik", content).text)
    return static, dynamic


def test_the_static_document_names_the_dynamic_one() -> None:
    static, dynamic = documents(f"listen: 127.0.0.1:8010\n{GOOD}")
    assert static["entryPoints"]["web1"]["address"] == "127.0.0.1:8010"
    assert static["providers"]["file"]["filename"] == "dynamic.yml"
    assert {"routers", "middlewares", "services", "serversTransports"} == set(dynamic["http"])


def test_values_cannot_break_out_and_are_not_templates() -> None:
    plain, hard = (documents(file_with(values))[1] for values in (PLAIN, VALUES))
    assert shape(hard) == shape(plain)
    assert "{{" not in exported("traefik", file_with(VALUES)).text
    fields = hard["http"]["middlewares"]["r1-fields"]["headers"]["customRequestHeaders"]
    assert [fields[f"X-{number}"] for number in range(len(VALUES))] == list(VALUES)


def test_a_backtick_ends_no_text_of_a_rule() -> None:
    assert text("a`b") == r"`a\x60b`"


def test_every_router_has_a_priority_of_its_own() -> None:
    _, dynamic = documents(GOOD)
    priorities = [router["priority"] for router in dynamic["http"]["routers"].values()]
    assert priorities == sorted(set(priorities), reverse=True)


def test_what_it_cannot_reach_answers_502() -> None:
    content = GOOD.replace("http://127.0.0.1:9", "unix:/run/a.sock")
    _, dynamic = documents(content)
    chains = [router["middlewares"] for router in dynamic["http"]["routers"].values()]
    assert any("refuse-502" in chain for chain in chains)
    assert losses("traefik", content) == [
        "corsproxy.yaml:1: upstream: Traefik does not support Unix sockets: 502"
    ]


def test_an_https_listener_has_its_files() -> None:
    content = f"listen: https://127.0.0.1:8443\ntls: {{cert_file: c.pem, key_file: k.pem}}\n{GOOD}"
    static, dynamic = documents(content)
    assert static["entryPoints"]["web1"]["http"]["tls"] == {}
    assert dynamic["tls"]["certificates"] == [{"certFile": "/dir/c.pem", "keyFile": "/dir/k.pem"}]
    assert dynamic["tls"]["options"]["default"]["alpnProtocols"] == ["h2", "http/1.1"]
    _, without = documents(f"{content}http2: false\n")
    assert without["tls"]["options"]["default"]["alpnProtocols"] == ["http/1.1"]
