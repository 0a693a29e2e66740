"""Long lists that are not parsed: the tree is the one that the parser makes of the whole text."""

from collections.abc import Iterator

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.problems import ConfigError
from corsproxy.config.yaml.compose import Composer
from corsproxy.config.yaml.document import LOADER
from corsproxy.config.yaml.long_lists import put_back, runs, without
from corsproxy.config.yaml.nodes import Mapping, Node, Scalar, Sequence
from corsproxy.config.yaml.source_text import Mark, SourceText
from tests.config.trees import document_of, refusal_of


def lines(indent: int = 0, count: int = 20, line_break: str = "\n") -> str:
    forms = ["https://a{}.test", "http://localhost:{}", "https://*.b{}.test", "http://c{}.test:*"]
    return "".join(
        f"{' ' * indent}- {forms[number % 4].format(number)}{line_break}" for number in range(count)
    )


def dated(indent: int = 0, count: int = 20) -> str:
    forms = [
        "{{origin: https://a{}.test, until: 2027-01-31}}",
        "{{origin: http://localhost:{}, until: 0000-99-99, reason: team A/b-2.c  d}}",
        "https://*.b{}.test",
        "{{origin: http://c{}.test:*, until: 2027-02-28, reason: null}}",
    ]
    return "".join(
        f"{' ' * indent}- {forms[number % 4].format(number)}\n" for number in range(count)
    )


def parts(node: Node) -> Iterator[tuple[type[Node], Mark, Mark, str | bool, str | None]]:
    """Yield all that a tree consists of."""
    match node:
        case Scalar():
            yield Scalar, node.start, node.end, f"{node.plain} {node.text}", node.anchor
        case Sequence():
            yield Sequence, node.start, node.end, node.flow, node.anchor
            for item in node.items:
                yield from parts(item)
        case Mapping():
            yield Mapping, node.start, node.end, node.flow, node.anchor
            for key, value, _ in node.entries:
                yield from parts(key)
                yield from parts(value)


def parsed(text: str) -> Node | None:
    """Return what the parser makes of all of it."""
    return Composer(SourceText("f.yaml", text)).compose(yaml.parse(text, LOADER))


LONG = {
    "in a mapping": f"a:\n{lines(2)}b: 1\n",
    "indented like its key": f"a:\n{lines()}b: 1\n",
    "at the end": f"a:\n{lines(2)}",
    "lacks the last line break": f"a:\n{lines(2)}  - https://last.test",
    "ends with CRLF": f"a:\r\n{lines(2, 20, chr(13) + chr(10))}b: [c,\r\n  d]\r\n",
    "line breaks change": f"a:\n{lines(2, 20, chr(13) + chr(10))}{lines(2)}b: 1\r",
    "several": f"a:\n{lines(2)}  # more\n{lines(2)}b:\n- c:\n{lines(4)}  d: 1\n- e\n",
    "among other items": f"a:\n  - 'x'\n{lines(2)}  - y\n  - {{z: 1}}\n{lines(2)}  -\n",
    "says more": f"a:\n{dated(2)}b: 1\n",
    "says more at the end": f"a:\n{dated()}{lines()}",
    "has an anchor": f"a: &all\n{lines(2)}b: &one 1\n",
    "is repeated": f"a: &all\n{lines(2)}b: *all\n",
    "is an item": f"a:\n-\n{lines(2)}- b\n- - c\n{lines(2)}",
    "beside a merge": f"a: &x {{y: 1}}\nb:\n  <<: *x\n  c:\n{lines(4)}",
}
NOT_A_LIST = {
    "a block of text": f"a: |\n{lines(2)}b: 1\n",
    "a folded block of text": f"a: >\n{lines(2)}\nb: 1\n",
    "a quoted text": f'a: "b\n{lines(2)}"\nc: 1\n',
    "a block of mappings": f"a: |\n{dated(2)}b: 1\n",
    "behind an item": f"a:\n- b\n{lines(2)}",
    "behind one of its own form": f"a:\n- https://b.test\n{lines(2)}c: 1\n",
    "half of it is in a block of text": f"a:\n  - |\n{lines(4, 10)}{lines(4, 10)}{lines(2)}",
    "comments": "a: 1\n" + lines().replace("- ", "# - "),
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_the_tree_is_the_parsers(text: str) -> None:
    assert runs(text)
    root = parsed(text)
    assert root is not None
    assert list(parts(document_of(text).root)) == list(parts(root))


@pytest.mark.parametrize("text", NOT_A_LIST.values(), ids=NOT_A_LIST)
def test_lines_that_only_look_like_a_list_stay_what_they_are(text: str) -> None:
    root = parsed(text)
    assert root is not None
    assert list(parts(document_of(text).root)) == list(parts(root))


PIECES = [
    *LONG.values(), *NOT_A_LIST.values(), lines(), lines(2), lines(4), dated(2), "k: |\n",
    "k: >-\n", "k:\n",
    "- k:\n", '"', "'", "k: [", "]\n", "  - x\n", "  \n", "# c\n", "- \n", "\r", "...\n", "---\n",
    "k: &x\n", "k: *x\n", "? ", "  - - y\n", "%", "  - k: |\n",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
def test_whatever_stands_around_it(text: str) -> None:
    source = SourceText("f.yaml", text)
    found = runs(text)
    composer = Composer(SourceText("f.yaml", without(text, found)))
    try:
        root = composer.compose(yaml.parse(without(text, found), LOADER))
    except (yaml.YAMLError, ConfigError):
        return
    if root is None or composer.aliased or composer.problems or not put_back(root, found, source):
        return
    whole = parsed(text)
    assert whole is not None
    assert list(parts(root)) == list(parts(whole))


def test_a_mistake_behind_it_is_on_its_own_line() -> None:
    text = f"a:\n{lines(2)}b: [\n"
    assert refusal_of(text).source[1:] == (22, 4)
    assert document_of(f"a:\n{lines(2)}a: 1\n").problems[0].source.line == 22


@pytest.mark.parametrize("text", [text for text in LONG.values() if "*all" not in text])
def test_its_nodes_are_counted(text: str) -> None:
    found = runs(text)
    assert _count(text) == _count(without(text, found)) + sum(run.nodes for run in found)


def _count(text: str) -> int:
    composer = Composer(SourceText("f.yaml", text))
    composer.compose(yaml.parse(text, LOADER))
    return composer.count


def test_too_many_are_refused() -> None:
    text = "a:\n" + "- http://a\n" * 90_000 + f"b: [{'1,' * 10_000}]\n"
    assert refusal_of(text).code == "too-large"
