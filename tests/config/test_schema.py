"""The JSON Schema and the reader: two descriptions of one format, compared.

The law: the schema accepts whatever the reader accepts. The reverse is not true: some mistakes are
only known to the reader, and each of their codes is listed here.
"""

import json
from collections.abc import Iterator
from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from corsproxy.config.cors import NO_ORIGINS
from corsproxy.config.keys import KEYS
from corsproxy.config.problems import ConfigError
from corsproxy.config.reader import read_policy
from corsproxy.config.units import parse_duration, parse_size
from corsproxy.core.policy import Limits, Log, LogFormat, LogRequests, Policy, Timeouts, Tls
from tests.config.broken_files import BROKEN, ENVIRON, Case
from tests.config.editor import SCHEMA, Json, complaints, instance

PROJECT = Path(__file__).resolve().parents[2]

ONLY_THE_READER_KNOWS = {
    # What one place says about another.
    "address-taken", "duplicate-header", "duplicate-key", "duplicate-name", "duplicate-path",
    "inspector-not-on-loopback",
    "https-without-tls", "set-and-removed", "tls-without-https", "upstream-is-self",
    "wildcard-not-alone",
    "wildcard-with-credentials", "null-with-credentials", "public-suffix-with-credentials",
    # `allow_origins` may stand in the rules above.
    "missing-key",
    # How something is written in YAML, which an editor's schema never sees.
    "bad-merge", "tag", "value-runs-on",
    # 8010.0, 1e3 and 0x10 are numbers to YAML, and not what this file's numbers look like;
    # a duration's range needs its unit.
    "bad-duration", "bad-listen", "bad-port", "bad-size", "out-of-range", "unknown-version",
    # Names whose meaning is in the standards' lists, in any case.
    "forbidden-header", "forbidden-method", "managed-header",
    # What makes a name, an address or a path one.
    "bad-allowed-host", "bad-date", "bad-file", "bad-header-value", "bad-host", "bad-method",
    "bad-name",
    "bad-network",
    "bad-path", "bad-upstream", "several-entries",
    "origin-address-wildcard", "origin-ambiguous-wildcard", "origin-default-port",
    "origin-empty-label", "origin-exact-scheme", "origin-host", "origin-ip-address",
    "origin-port", "origin-punycode", "origin-regex", "origin-several-origins", "origin-too-long",
    "origin-too-wide", "origin-trailing-dot", "origin-upper-case", "origin-wildcard-place",
}  # fmt: skip


def errors(text: str) -> set[str]:
    """The codes of the reader's errors."""
    try:
        read_policy(text, "corsproxy.yaml", ENVIRON, "/etc/corsproxy")
    except ConfigError as error:
        return {problem.code for problem in error.problems if problem.severity == "error"}
    return set()


def is_yaml(text: str) -> bool:
    try:
        instance(text)
    except ConfigError:
        return False
    return True


def assert_agreed(text: str) -> None:
    found, complained = errors(text), complaints(text)
    if not found:
        assert complained == []
    elif not complained and "$" not in text:  # what a variable holds is not in the file
        assert found <= ONLY_THE_READER_KNOWS


# The corpus


READABLE = {name: case for name, case in BROKEN.items() if is_yaml(case.text)}
MENDED = {name: case for name, case in BROKEN.items() if case.fixed is not None}


@pytest.mark.parametrize("case", READABLE.values(), ids=READABLE)
def test_schema_and_reader_agree_on_a_broken_file(case: Case) -> None:
    assert_agreed(case.text)


@pytest.mark.parametrize("case", MENDED.values(), ids=MENDED)
def test_the_schema_accepts_the_file_that_is_mended(case: Case) -> None:
    assert case.fixed is not None
    assert complaints(case.fixed) == []


@pytest.mark.parametrize("name", ["config.example.yaml", "corsproxy/config/starter.yaml"])
def test_the_schema_accepts_our_own_examples(name: str) -> None:
    assert complaints((PROJECT / name).read_bytes()) == []


# Mutations

SCALARS: list[Json] = [
    True, False, None, 0, 1, -1, 5, 600, 8010, 65536, 0.5, 2.5, "", "*", "null", "none", "off",
    "yes", "5", "5s", "10m", "1h30m", "0s", "64KiB", "10MB", "GET", "patch", "auto", "json",
    "keep", "block", "forward", "passthrough", "X-Name", "x name", "/", "/api", "/api/", "api",
    "localhost", "localhost:8010", "[::1]:8010", ":8010", "10.0.0.0/8", "http://localhost:5173",
    "https://app.example.com", "https://*.example.com", "https://app.example.com/",
    "HTTPS://app.example.com", "http://localhost:*", "unix:/run/api.sock", "https://a.test/v2",
    "certs/ca.pem", "~/ca.pem", "${TOKEN}", "${NOT_SET}", "$", "a b",
]  # fmt: skip
"""Values that are right in one place and wrong in most. Not 2.0, which is an integer to
JSON Schema and no whole number to the reader."""

scalars = st.sampled_from(SCALARS)
values = st.one_of(
    scalars,
    st.lists(scalars, max_size=3),
    st.dictionaries(st.sampled_from([*sorted({key for keys in KEYS.values() for key in keys}),
                                     "allow_orgins", "x-a", "X-Name"]), scalars, max_size=3),
)  # fmt: skip

WHOLE: Json = {
    "version": 1,
    "listen": ["localhost:8010", 8020, "https://localhost:8443"],
    "admin": "off",
    "allowed_hosts": ["proxy.test"],
    "cors": {
        "allow_origins": ["http://localhost:5173", "https://*.example.com"],
        "allow_methods": ["GET", "QUERY"],
        "allow_headers": ["Content-Type"],
        "expose_headers": "*",
        "allow_credentials": True,
        "max_age": "10m",
        "unlisted_origins": "block",
    },
    "upstream": "https://www.example.com",
    "routes": [
        {
            "name": "shop",
            "path": "/shop",
            "upstream": "https://shop.example.com/v2",
            "strip_path": True,
            "preserve_host": False,
            "cors": {"max_age": "none"},
            "request_headers": {"set": {"X-Env": 1}, "remove": ["X-Debug"]},
            "response_headers": {"remove": "X-Powered-By"},
            "cookies": "keep",
            "origin": "remove",
            "forwarded": "on",
            "documents": "sandbox",
            "timeout": {"connect": "5s", "response": "none", "idle": 300},
            "tls": {"verify": True, "ca_file": "ca.pem", "server_name": "api.internal"},
        },
        {"path": "/auth", "upstream": "http://localhost:9000", "cors": "passthrough"},
    ],
    "limits": {"body": "10MB", "connections": "none", "fields": 100, "head_timeout": 10},
    "log": {"format": "json", "requests": "denied"},
    "shutdown_grace": "10s",
    "drain_delay": 0,
    "trusted_proxies": ["10.0.0.0/8"],
    "via": False,
    "tls": {"cert_file": "cert.pem", "key_file": "key.pem"},
    "http2": False,
    "inspector": False,
}


def places(value: Json, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where in `value` something can be replaced."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*path, index))


def inside(holder: Json, step: str | int) -> Json:
    if isinstance(holder, list):
        return holder[int(step)]
    assert isinstance(holder, dict)
    return holder[str(step)]


def changed(whole: Json, path: tuple[str | int, ...], new: Json, *, added: str | None) -> Json:
    """A copy of `whole` with `new` at `path`, or beside it under the key `added`."""
    copy: Json = json.loads(json.dumps(whole))
    holder = copy
    for step in path[:-1]:
        holder = inside(holder, step)
    last = path[-1]
    if isinstance(holder, dict) and isinstance(last, str):
        holder[last if added is None else added] = new
    elif isinstance(holder, list) and isinstance(last, int):
        holder[last] = new
    return copy


@pytest.mark.parametrize(
    "host", ["a", "A", "a.b.", "-", "a_b:8", "a:65535", "", "a:", "a:0", "[::1]", "é", "a'", "a,b"]
)
def test_schema_and_reader_agree_on_an_origin_of_another_scheme(host: str) -> None:
    text = f'upstream: https://api.test\ncors: {{allow_origins: ["chrome-extension://{host}"]}}\n'
    assert bool(errors(text)) == bool(complaints(text))


def test_the_whole_file_is_accepted_by_both() -> None:
    text = json.dumps(WHOLE)
    assert errors(text) == set()
    assert complaints(text) == []


@given(st.sampled_from(list(places(WHOLE))), values)
def test_schema_and_reader_agree_on_one_other_value(path: tuple[str | int, ...], new: Json) -> None:
    assert_agreed(json.dumps(changed(WHOLE, path, new, added=None)))


@given(
    st.sampled_from(list(places(WHOLE))),
    st.sampled_from([key for keys in KEYS.values() for key in keys]),
    values,
)
def test_schema_and_reader_agree_on_one_more_key(
    path: tuple[str | int, ...], key: str, new: Json
) -> None:
    assert_agreed(json.dumps(changed(WHOLE, path, new, added=key)))


# The schema itself


def at(*path: str) -> Json:
    found: Json = SCHEMA
    for step in path:
        assert isinstance(found, dict)
        found = found[step]
    return found


OBJECTS: dict[str, tuple[str, ...]] = {
    "top": (),
    "cors": ("definitions", "cors_rules"),
    "route": ("definitions", "route"),
    "headers": ("definitions", "header_rules"),
    "origin": ("definitions", "dated_origin"),
    "listener_tls": ("properties", "tls"),
    "timeout": ("definitions", "route", "properties", "timeout"),
    "tls": ("definitions", "route", "properties", "tls"),
    "limits": ("definitions", "limits"),
    "log": ("properties", "log"),
}


def test_it_is_a_valid_schema() -> None:
    Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("place", KEYS)
def test_it_has_the_keys_that_the_reader_has(place: str) -> None:
    keys = next(keys for name, keys in KEYS.items() if name == place)
    properties = at(*OBJECTS[place], "properties")
    assert isinstance(properties, dict)
    assert set(properties) == set(keys)
    assert at(*OBJECTS[place], "additionalProperties") is False


@pytest.mark.parametrize("place", KEYS)
def test_it_describes_every_key(place: str) -> None:
    properties = at(*OBJECTS[place], "properties")
    assert isinstance(properties, dict)
    for key, value in properties.items():
        assert isinstance(value, dict)
        assert str(value["description"]).endswith("."), key


def test_it_names_the_words_that_the_reader_knows() -> None:
    log = at("properties", "log", "properties")
    assert isinstance(log, dict)
    assert json.dumps(list(get_args(LogFormat))) in json.dumps(log["format"])
    assert json.dumps(list(get_args(LogRequests))) in json.dumps(log["requests"])


def defaults(place: str) -> dict[str, Json]:
    properties = at(*OBJECTS[place], "properties")
    assert isinstance(properties, dict)
    return {
        key: value["default"]
        for key, value in properties.items()
        if isinstance(value, dict) and "default" in value
    }


def measured(value: Json) -> object:
    """A default as the policy has it: seconds, bytes, None for no limit."""
    if value == "none":
        return None
    if not isinstance(value, str):
        return value
    return parse_size(value) if value.endswith("iB") else parse_duration(value)


@pytest.mark.parametrize(("place", "known"), [("limits", Limits()), ("timeout", Timeouts())])
def test_its_defaults_are_those_of_the_policy(place: str, known: Limits | Timeouts) -> None:
    found = {key: measured(value) for key, value in defaults(place).items()}
    assert found == {field.name: getattr(known, field.name) for field in fields(known)}


def test_its_other_defaults_are_those_of_the_policy() -> None:
    assert defaults("cors") == {
        "allow_methods": list(NO_ORIGINS.methods.names),
        "allow_headers": list(NO_ORIGINS.request_headers.names),
        "expose_headers": list(NO_ORIGINS.expose_headers.names),
        "allow_credentials": NO_ORIGINS.credentials,
        "unlisted_origins": NO_ORIGINS.unlisted_origins,
    }
    assert defaults("log") == {"format": Log().format, "requests": Log().requests}
    assert defaults("tls") == {"verify": Tls().verify}
    top = defaults("top")
    assert top["listen"] == ", ".join(map(str, Policy.listen))
    assert top["admin"] == str(Policy.admin)
    assert top["http2"] == Policy.http2
    assert measured(top["shutdown_grace"]) == Policy.shutdown_grace
    assert measured(top["drain_delay"]) == Policy.drain_delay


def examples(schema: Json) -> Iterator[tuple[Json, dict[str, Json]]]:
    """Every example in the schema, with the schema that it is one of."""
    if isinstance(schema, dict):
        found = schema.get("examples")
        if isinstance(found, list):
            for example in found:
                yield example, schema
        if "default" in schema and not isinstance(schema["default"], dict):
            yield schema["default"], schema
        for value in schema.values():
            yield from examples(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from examples(value)


def test_its_examples_are_valid() -> None:
    for example, schema in examples(SCHEMA):
        alone = {"definitions": SCHEMA["definitions"], **schema}
        assert list(Draft7Validator(alone).iter_errors(example)) == [], example


def test_every_pattern_has_its_words() -> None:
    """Editors show a raw regular expression otherwise."""
    found: list[dict[str, object]] = []

    def walk(node: object) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("pattern"), str):
                found.append(node)
            for each in node.values():
                walk(each)
        elif isinstance(node, list):
            for each in node:
                walk(each)

    text = files("corsproxy.config").joinpath("schema.json").read_text(encoding="utf-8")
    walk(json.loads(text))
    assert len(found) > 15
    assert [each for each in found if not each.get("patternErrorMessage")] == []
