"""Where the keys are described, and suggestions for unknown ones."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config import keys
from corsproxy.config.keys import KEYS, Place, is_spelling_of, suggest
from corsproxy.config.yaml.document import read_document
from corsproxy.config.yaml.nodes import Mapping, Sequence
from tests.config.reading import with_files

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("place", "key", "expected"),
    [
        ("cors", "allow_orgins", "allow_origins"),
        ("cors", "allowOrigins", "allow_origins"),
        ("cors", "Access-Control-Allow-Methods", "allow_methods"),
        ("cors", "accessControlMaxAge", "max_age"),
        ("cors", "CORS_ALLOW_CREDENTIALS", "allow_credentials"),
        ("cors", "exposed", "expose_headers"),
        ("top", "admn", "admin"),
        ("top", "allowedHosts", "allowed_hosts"),
        ("route", "proxy_pass", "upstream"),
        ("route", "stripPrefix", "strip_path"),
        ("timeout", "read_timeout", "response"),
        ("tls", "key", "key_file"),
        ("limits", "client_max_body_size", "body"),
        ("log", "access_log", "requests"),
        ("headers", "unset", "remove"),
    ],
)
def test_the_key_that_was_meant_is_suggested(place: Place, key: str, expected: str) -> None:
    suggestion = suggest(place, key)
    assert suggestion.key == expected
    assert expected in suggestion.help


@pytest.mark.parametrize(
    ("place", "key", "said"),
    [
        ("top", "allow_origins", "`allow_origins` belongs under `cors:`"),
        ("top", "origins", "`allow_origins` belongs under `cors:`"),
        ("top", "cookies", "`allow_credentials` belongs under `cors:`"),
        ("top", "strip_path", "belongs in a route"),
        ("route", "listen", "belongs at the top level"),
        ("route", "verify", "belongs under a route's `tls:`"),
        ("cors", "changeOrigin", "remove it"),
        ("tls", "insecure", "write `verify: false`"),
        ("headers", "X-Api-Key", "`set: {X-Api-Key: …}`"),
        ("log", "zzz", "format, requests"),
        ("top", "corsproxy", "remove it: what stands below it belongs at the top level"),
        ("top", "cors_proxy", "remove it: what stands below it belongs at the top level"),
        ("top", "x" * 50, "the keys at the top level are"),
    ],
)
def test_other_keys_are_explained(place: Place, key: str, said: str) -> None:
    suggestion = suggest(place, key)
    assert suggestion.key is None
    assert said in suggestion.help


@pytest.mark.parametrize("place", KEYS)
def test_every_alias_leads_to_a_key_of_its_mapping(place: Place) -> None:
    aliases = keys._ALIASES[place]
    assert set(aliases.values()) <= set(KEYS[place])
    assert all(alias == alias.lower() and alias.isalnum() for alias in aliases)
    assert not set(aliases) & {key.replace("_", "") for key in KEYS[place]}


def test_no_alias_is_shadowed() -> None:
    named = {alias for aliases in keys._ALIASES.values() for alias in aliases}
    known = {key.replace("_", "") for key in chain.from_iterable(KEYS.values())}
    assert not keys._WITHOUT.keys() & (named | known)


@given(st.sampled_from(list(KEYS)), st.text(max_size=64))
def test_every_key_gets_an_answer(place: Place, key: str) -> None:
    suggestion = suggest(place, key)
    assert suggestion.help
    assert suggestion.key is None or suggestion.key in KEYS[place]


@pytest.mark.parametrize(
    ("key", "own"),
    [
        ("Allow-Origins", "allow_origins"),
        ("Access-Control-Max-Age", "max_age"),
        ("allowed_origin", "allow_origins"),
        ("exposedHeaders", "expose_headers"),
        ("supports_credentials", "allow_credentials"),
        ("StripPath", "strip_path"),
    ],
)
def test_another_spelling_is_known_as_one(key: str, own: str) -> None:
    assert is_spelling_of(key, own)


@pytest.mark.parametrize(
    ("key", "own"),
    [
        ("allow_orgins", "allow_origins"),
        ("cookies", "allow_credentials"),
        ("whitelist", "allow_origins"),
        ("headers", "request_headers"),
        ("total", "response"),
        ("host", "listen"),
        ("allow_methods", "allow_origins"),
    ],
)
def test_a_guess_is_not_treated_as_another_spelling(key: str, own: str) -> None:
    assert not is_spelling_of(key, own)


# What holds the keys of each place, by the key that it is found under.
HELD_BY: dict[str, Place] = {
    "cors": "cors",
    "routes": "route",
    "allow_origins": "origin",
    "request_headers": "headers",
    "response_headers": "headers",
    "timeout": "timeout",
    "tls": "tls",
    "limits": "limits",
    "log": "log",
}


def keys_by_place(mapping: Mapping, place: Place) -> Iterator[tuple[Place, str]]:
    """The keys of a file, each with the place that it stands in."""
    for key, value, _ in mapping.entries:
        yield place, key.text
        held = value.items if isinstance(value, Sequence) else [value]
        for inner in held:
            if isinstance(inner, Mapping) and key.text in HELD_BY:
                is_listeners = (place, key.text) == ("top", "tls")
                yield from keys_by_place(
                    inner, "listener_tls" if is_listeners else HELD_BY[key.text]
                )


def test_the_example_has_each_key_in_its_place() -> None:
    text = with_files((PROJECT / "config.example.yaml").read_text("utf-8")).encode()
    found = defaultdict[Place, set[str]](set)
    for place, key in keys_by_place(read_document(text, "config.example.yaml").root, "top"):
        if not key.startswith("x-"):
            found[place].add(key)
    assert found == {place: set(known) for place, known in KEYS.items()}
