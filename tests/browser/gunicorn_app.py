"""A small API as a WSGI application, to be run by gunicorn: a server that we did not write.

Its paths are those of httpbin, which cannot be installed beside Playwright: they echo
what arrives, set cookies, redirect, compress, stream and ask for a password.
"""

import base64
import gzip
import json
import random
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Headers = list[tuple[str, str]]
Answer = tuple[int, Headers, Iterable[bytes]]


def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    name, *arguments = environ["PATH_INFO"].strip("/").split("/")
    status, headers, body = ANSWERS[name](environ, *arguments)
    start_response(f"{status} {HTTPStatus(status).phrase}", headers)
    return body


def _json(value: object, status: int = 200, headers: Headers | None = None) -> Answer:
    body = json.dumps(value).encode()
    fields = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    return status, [*fields, *(headers or [])], [body]


def _query(environ: "WSGIEnvironment") -> dict[str, list[str]]:
    return parse_qs(environ["QUERY_STRING"], keep_blank_values=True)


def echo(environ: "WSGIEnvironment") -> Answer:
    body = environ["wsgi.input"].read().decode()
    headers = {
        name[5:].replace("_", "-").title(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    return _json(
        {
            "method": environ["REQUEST_METHOD"],
            "args": _query(environ),
            "data": body,
            "headers": headers,
        }
    )


def cookies(environ: "WSGIEnvironment", action: str = "") -> Answer:
    if action == "set":
        lines = [("Set-Cookie", f"{k}={v[0]}; Path=/") for k, v in _query(environ).items()]
        return 302, [("Location", "/cookies"), ("Content-Length", "0"), *lines], []
    pairs = [pair.split("=", 1) for pair in environ.get("HTTP_COOKIE", "").split("; ") if pair]
    return _json({"cookies": dict(pairs)})


def status(_: "WSGIEnvironment", code: str) -> Answer:
    return int(code), [] if code in ("204", "304") else [("Content-Length", "0")], []


def compressed(_: "WSGIEnvironment") -> Answer:
    body = gzip.compress(json.dumps({"gzipped": True}).encode())
    headers = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")]
    return 200, [*headers, ("Content-Length", str(len(body)))], [body]


def stream(_: "WSGIEnvironment", count: str) -> Answer:
    """Without a length, so that gunicorn sends it in chunks."""
    lines = (json.dumps({"id": number}).encode() + b"\n" for number in range(int(count)))
    return 200, [("Content-Type", "application/json")], lines


def random_bytes(environ: "WSGIEnvironment", count: str) -> Answer:
    body = random.Random(_query(environ)["seed"][0]).randbytes(int(count))
    return 200, [("Content-Type", "application/octet-stream")], [body]


def redirect_to(environ: "WSGIEnvironment") -> Answer:
    return 302, [("Location", _query(environ)["url"][0]), ("Content-Length", "0")], []


def basic_auth(environ: "WSGIEnvironment", user: str, password: str) -> Answer:
    expected = base64.b64encode(f"{user}:{password}".encode()).decode()
    if environ.get("HTTP_AUTHORIZATION") != f"Basic {expected}":
        return _json({}, 401, [("WWW-Authenticate", 'Basic realm="test"')])
    return _json({"authenticated": True, "user": user})


ANSWERS: dict[str, Callable[..., Answer]] = {
    "echo": echo,
    "cookies": cookies,
    "status": status,
    "gzip": compressed,
    "stream": stream,
    "bytes": random_bytes,
    "redirect-to": redirect_to,
    "basic-auth": basic_auth,
}
