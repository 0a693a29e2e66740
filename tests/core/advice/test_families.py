"""Calls that come in families need all of it at once."""

from dataclasses import replace

import pytest

from corsproxy.core.advice.families import (
    family_of,
    missing_exposed,
    missing_headers,
    needs_of,
)
from tests.policies import listed, rules


def test_a_family_is_known_by_a_header_of_its_own() -> None:
    found = family_of(["authorization", "tus-resumable"])
    assert found is not None
    assert found.name == "tus"
    assert family_of(["authorization", "x-a"]) is None


def test_only_what_is_missing_is_named() -> None:
    found = family_of(["x-grpc-web"])
    assert found is not None
    bare = rules()
    assert "content-type" not in missing_headers(found, bare)
    assert "grpc-status" in missing_exposed(found.response_headers, bare)
    wide = replace(bare, request_headers=listed("*"), expose_headers=listed("*"))
    assert missing_headers(found, wide) == missing_exposed(found.response_headers, wide) == []


@pytest.mark.parametrize(
    ("method", "names", "needed"),
    [
        ("POST", "tus-resumable upload-length", "location"),
        ("POST", "tus-resumable upload-defer-length", "location"),
        ("POST", "content-type tus-resumable upload-length", "location upload-offset"),
        ("PATCH", "content-type tus-resumable upload-offset", "upload-offset"),
        ("HEAD", "tus-resumable", "upload-offset upload-length"),
        ("DELETE", "tus-resumable", ""),
        ("PUT", "x-amz-date", ""),
    ],
)
def test_what_a_client_cannot_do_without(method: str, names: str, needed: str) -> None:
    assert needs_of(method, names.split()) == tuple(needed.split())
