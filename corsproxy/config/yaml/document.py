"""A YAML file that holds one mapping: the tree, and the text that it was read from."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from corsproxy.config.problems import ConfigError, Problem
from corsproxy.config.spelling import shown, with_space
from corsproxy.config.yaml.compose import MAX_NODES, Composer
from corsproxy.config.yaml.long_lists import put_back, runs, without
from corsproxy.config.yaml.nodes import Mapping, Node, Scalar, Sequence, is_null
from corsproxy.config.yaml.source_text import SourceText, read_text
from corsproxy.config.yaml.syntax.characters import check_characters
from corsproxy.core.source import Source

Loader = type[yaml.SafeLoader] | type[yaml.CSafeLoader]

LOADER: Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser where PyYAML has it: ten times faster, the same events and errors."""

ALLOWLIST = "it needs `upstream: https://…` and `cors:` with `allow_origins:`; see `corsproxy init`"


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One file."""

    source: SourceText
    root: Mapping
    problems: tuple[Problem, ...]
    """What YAML allows and we do not: duplicate keys, tags."""
    aliased: frozenset[str]
    """The anchors of nodes that stand in several places, because an alias repeats them."""
    tagged: tuple[Scalar, ...]
    """What is refused for its tag, whatever else may be said about it."""


def read_document(
    data: str | bytes, name: str, loader: Loader = LOADER, *, needed: str = ALLOWLIST
) -> Document:
    """Return the document that `data` is; `name` is what messages call the file, and `needed`
    says what such a file must hold.

    Raises ConfigError where it is not YAML or not one mapping: with the first such
    problem, because a parser cannot go on behind it.
    """
    source = read_text(data, name)
    bad = check_characters(source)
    if bad is not None:
        raise ConfigError([bad])
    return _read_quickly(source, loader) or _read(source, loader, needed)


def _read_quickly(source: SourceText, loader: Loader) -> Document | None:
    """Return the document without having parsed its long lists; None if all has to be parsed."""
    left_out = runs(source.text)
    if not left_out:
        return None
    text = without(source.text, left_out)
    if 2 * len(text) > len(source.text):  # Moving the places of the rest would cost more.
        return None
    composer = Composer(SourceText(source.name, text))
    try:
        root = composer.compose(_events(text, loader))
    except (yaml.YAMLError, ConfigError):
        return None
    nodes = composer.count + sum(run.nodes for run in left_out)
    if composer.problems or composer.aliased or nodes > MAX_NODES:
        return None
    if not isinstance(root, Mapping) or not put_back(root, left_out, source):
        return None
    return Document(source, root, (), frozenset(), ())


def _read(source: SourceText, loader: Loader, needed: str) -> Document:
    composer = Composer(source)
    try:
        root = composer.compose(_events(source.text, loader))
    except yaml.MarkedYAMLError as error:
        # Imported here: most files are YAML.
        from corsproxy.config.yaml.syntax.rules import explain, is_too_deep

        if is_too_deep(error) and loader is not yaml.SafeLoader:
            # libyaml reads ahead to its own limit, before the composer sees where ours is.
            return _read(source, yaml.SafeLoader, needed)
        raise ConfigError([*composer.problems, explain(error, source)]) from error
    except yaml.YAMLError as error:
        problem = Problem("error", "yaml-syntax", "this is not YAML", Source(source.name, 1, 1))
        raise ConfigError([*composer.problems, problem]) from error
    if not isinstance(root, Mapping):
        raise ConfigError([*composer.problems, _not_a_mapping(root, source, needed)])
    return Document(
        source, root, tuple(composer.problems), frozenset(composer.aliased), tuple(composer.tagged)
    )


def _events(text: str, loader: Loader) -> Iterator[yaml.Event]:
    """What `yaml.parse` yields, in a third less time."""
    return iter(loader(text).get_event, None)


def _not_a_mapping(root: Node | None, source: SourceText, needed: str) -> Problem:
    if root is None or is_null(root):
        message = "the file is empty"
        if any(line.strip() for line in source.lines):
            message = "the file holds no keys, only comments"
        return Problem("error", "empty-file", message, Source(source.name, 1, 1), help=needed)
    found = "a list" if isinstance(root, Sequence) else "a text"
    message = f"the file is {found}, not a mapping of keys to values"
    help, fix = needed, None
    if isinstance(root, Scalar):
        raw = source.raw(root)
        fix = with_space(raw)
        if fix is not None:
            help = "write a space after the colon"
        elif needed is ALLOWLIST and re.fullmatch(r"https?://\S+", raw):
            fix = f"upstream: {raw}"
            help = f"write {shown(fix)}, and below it `cors:` with `allow_origins:`"
    return source.problem("not-a-mapping", root, message, help, fix)
