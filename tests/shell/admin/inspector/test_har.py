import base64
import gzip
import json
from pathlib import Path
from typing import Any

import jsonschema
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.shell.admin.inspector.details import headers_of
from corsproxy.shell.admin.inspector.exchanges import Direction, Exchange, Message
from corsproxy.shell.admin.inspector.har import har
from corsproxy.shell.admin.inspector.secrets import OpenRedactor
from tests.inspecting import captured, preflight, redactor

SCHEMA = json.loads(Path(__file__).with_name("har.schema.json").read_text())
SECRET = "s3cr3t-9f8e7d6c5b4a"


def entries(*exchanges: Exchange) -> list[dict[str, Any]]:
    archive: Any = json.loads(json.dumps(har(exchanges, redactor())))
    jsonschema.validate(archive, SCHEMA)
    found: list[dict[str, Any]] = archive["log"]["entries"]
    return found


def test_an_entry_is_what_the_browser_sent_and_got() -> None:
    (entry,) = entries(
        captured(
            "POST",
            b"/v1/users?page=2&q=a%20b",
            [(b"Content-Type", b"application/json"), (b"Cookie", b"a=1; b=2")],
            body=b'{"name": "Ada"}',
            answer=[(b"Content-Type", b"application/json"), (b"Date", b"now")],
            upstream=[(b"X-Upstream", b"only")],
            content=b'{"id": 1}',
            status=201,
        )
    )
    request, response = entry["request"], entry["response"]
    assert request["url"] == "http://localhost:8010/v1/users?page=2&q=a%20b"
    assert {"name": "q", "value": "a b"} in request["queryString"]
    assert [cookie["name"] for cookie in request["cookies"]] == ["a", "b"]
    assert request["postData"]["text"] == '{"name": "Ada"}'
    assert (response["status"], response["content"]["text"]) == (201, '{"id": 1}')
    assert "X-Upstream" not in {header["name"] for header in response["headers"]}
    assert entry["time"] == 12.0
    assert entry["timings"]["wait"] + entry["timings"]["receive"] == 12.0
    assert entry["_corsproxy"]["upstreamUrl"] == "http://api.test:9000/v1/users?page=2&q=a%20b"


def test_http2_requests_are_marked_as_such() -> None:
    (entry,) = entries(captured(is_http2=True))
    assert {entry[side]["httpVersion"] for side in ("request", "response")} == {"HTTP/2"}
    request: Any = headers_of(captured(is_http2=True), redactor())["request"]
    assert request["line"].endswith(" HTTP/2")


def test_a_preflight_is_an_entry_of_its_own() -> None:
    first, second = entries(preflight("PUT"), captured("PUT"))
    assert (first["request"]["method"], second["request"]["method"]) == ("OPTIONS", "PUT")
    assert (first["_resourceType"], first["_corsproxy"]["preflightFor"]) == ("preflight", "PUT")


def test_secrets_are_redacted() -> None:
    exchange = captured(
        "POST",
        f"/v1/login?access_token={SECRET}".encode(),
        [(b"Authorization", f"Bearer {SECRET}".encode()), (b"Cookie", f"s={SECRET}".encode())],
        body=json.dumps({"password": SECRET}).encode(),
        answer=[(b"Set-Cookie", f"s={SECRET}; Path=/".encode()),
                (b"Location", f"/#id_token={SECRET}".encode())],
        content=gzip.compress(json.dumps({"refresh_token": SECRET}).encode()),
    )  # fmt: skip
    assert SECRET not in json.dumps(entries(exchange))
    assert SECRET in json.dumps(har([exchange], OpenRedactor(b"")))


def test_binary_content_is_base64() -> None:
    picture = b"\x89PNG\r\n\0\0"
    (entry,) = entries(captured(content=picture, answer=[(b"Content-Type", b"image/png")]))
    content = entry["response"]["content"]
    assert base64.b64decode(content["text"]) == picture
    assert content["encoding"] == "base64"


def test_what_was_never_answered_has_status_0() -> None:
    exchange = captured()
    exchange.client_head = None
    exchange.error = "client-left"
    (entry,) = entries(exchange)
    assert (entry["response"]["status"], entry["response"]["_error"]) == (0, "client-left")


def test_websocket_messages_are_where_devtools_looks() -> None:
    exchange = captured(status=101)
    exchange.note(Message(1.5, Direction.TO_UPSTREAM, "text", b"hello", 5))
    exchange.note(Message(2.5, Direction.TO_CLIENT, "binary", b"\0\1", 2))
    (entry,) = entries(exchange)
    assert entry["_webSocketMessages"] == [
        {"type": "send", "time": 1.5, "opcode": 1, "data": "hello"},
        {"type": "receive", "time": 2.5, "opcode": 2, "data": "AAE="},
    ]


VALUES = st.binary(max_size=30).filter(lambda value: not {10, 13, 0} & set(value))
NAMES = st.sampled_from([b"X-A", b"Cookie", b"Authorization", b"Content-Type", b"Content-Encoding"])
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=4)


@given(FIELDS, FIELDS, st.binary(max_size=50), st.binary(max_size=50))
def test_whatever_was_captured_fits_the_schema(
    asked: list[tuple[bytes, bytes]],
    answer: list[tuple[bytes, bytes]],
    body: bytes,
    content: bytes,
) -> None:
    entries(captured("POST", b"/a?b=c", asked, body=body, answer=answer, content=content))
