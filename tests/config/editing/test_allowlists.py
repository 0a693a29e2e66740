"""Finding the list that decides."""

import pytest

from corsproxy.config.editing.allowlists import Allowlists, Place, check_alone, check_own, value_of
from corsproxy.config.editing.splices import EditError
from corsproxy.config.reader import read_policy
from corsproxy.config.yaml.document import read_document
from corsproxy.config.yaml.nodes import Mapping

TEXT = """\
cors:
  allow_origins: [https://b.test]
routes:
  - path: /shared
    upstream: https://a.test
  - path: /own
    name: own
    upstream: https://a.test
    cors: {allow_origins: [https://c.test]}
  - path: /raw
    upstream: https://a.test
    cors: passthrough
"""


def lists(text: str) -> Allowlists:
    policy = read_policy(text, "c.yaml", {}, "/etc").policy
    return Allowlists(read_document(text, "c.yaml"), policy)


def line(place: Place) -> int | None:
    return None if place.node is None else place.node.start.line


def test_the_default_decides_for_routes_without_a_list() -> None:
    place = lists(TEXT).place("allow_origins", None)
    assert (line(place), place.route, place.untouched) == (2, None, ("own",))


def test_a_route_is_found_by_its_name_and_by_its_path() -> None:
    for name in ("own", "/own"):
        place = lists(TEXT).place("allow_origins", name)
        assert line(place) == 9
        assert place.route is not None
        assert place.route.name == "own"


def test_a_list_can_be_added_to_a_route() -> None:
    place = lists(TEXT).place("allow_origins", "/shared")
    assert (place.cors, place.node) == (None, None)
    assert place.holder.start.line == 4
    place = lists(TEXT).place("allow_methods", "own")
    assert place.cors is not None
    assert place.node is None


def test_the_rules_are_those_in_force() -> None:
    place = lists(TEXT).place("allow_origins", "/shared")
    assert [str(pattern) for pattern in place.rules.origins] == ["https://b.test"]


def test_without_a_default_a_route_keeps_its_own_keys() -> None:
    text = "routes:\n- path: /\n  upstream: https://a.test\n  cors: {allow_origins: []}\n"
    place = lists(text).place("allow_methods", None)
    assert place.route is not None
    assert place.cors is not None


def test_routes_inherit_the_default_list() -> None:
    found = lists(TEXT).inherited("allow_origins")
    assert found is not None
    assert found.start.line == 2
    assert lists(TEXT).inherited("allow_methods") is None


def test_passthrough_has_no_list() -> None:
    with pytest.raises(EditError, match="answers CORS itself"):
        lists("upstream: https://a.test\ncors: passthrough\n").place("allow_origins", None)


def test_an_aliased_list_is_shared() -> None:
    document = read_document("a: &a {b: 1}\nc: *a\nd: {<<: *a, e: 1}\nf: &f 1\n", "c.yaml")
    for key in ("a", "c"):
        node = value_of(document.root, key)
        assert node is not None
        with pytest.raises(EditError, match=r"anchor `&a` \(c.yaml:1:7\)"):
            check_alone(document, node)
    inner, alone = value_of(document.root, "d"), value_of(document.root, "f")
    assert isinstance(inner, Mapping)
    assert alone is not None
    check_alone(document, alone)
    check_own(document, inner, "e")
    with pytest.raises(EditError, match="`b` comes through `<<`"):
        check_own(document, inner, "b")
