"""`corsproxy check --fix`: the corrections that cannot mean anything else.

A file with an error is refused, so a correction takes no meaning away. What is corrected
here leaves no doubt about the one that it gives: quotes around an asterisk, an origin in
another spelling of itself, a key in another spelling, an entry that is listed twice.
Everything else, typing errors included, is its author's to decide: also the punycode of an
international name, which is suggested by rules near to a browser's and not by its own.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from corsproxy.config.editing.edits import File
from corsproxy.config.editing.splices import Splice, spliced_bytes
from corsproxy.config.keys import is_spelling_of
from corsproxy.config.problems import ConfigError, Problem
from corsproxy.config.spelling import quoted
from corsproxy.config.yaml.document import Document
from corsproxy.config.yaml.nodes import Mapping, Node, Sequence
from corsproxy.config.yaml.source_text import LINE_BREAK, SourceText, read_text
from corsproxy.core.origins.hosts import canonical_ipv4, canonical_ipv6
from corsproxy.core.origins.repair import INVISIBLE, take_apart

_ORIGIN_CODES = frozenset({"origin-upper-case", "origin-trailing-slash", "origin-default-port"})
_DEFAULT_PORT = re.compile(r"(?<=^http)(://.*):80$|(?<=^https)(://.*):443$")
_OCTAL = re.compile(r"(?:^|\.)0[0-9]")

# YAML stops at its first error, so each correction of one may uncover the next.
_MAX_ROUNDS = 100

_QUOTES = "'\""
_ITEM = re.compile(r"[ ]*-[ \t]+")
_COMMENTED = re.compile(r"[ \t]*,?[ \t]*#")
_BETWEEN = re.compile(r"\s*,\s*")


class Correction(NamedTuple):
    """A file after its corrections."""

    before: bytes
    after: bytes
    fixed: tuple[Problem, ...]
    """What was corrected, as it was found; its lines are those of that moment."""
    problems: tuple[Problem, ...]
    """What is left, warnings included, in file order."""


def correct(file: File) -> Correction:
    """Return the file with every correction made that is safe. Never raises."""
    before, fixed = file.content, list[Problem]()
    problems = _problems(file)
    for _ in range(_MAX_ROUNDS):
        found = dict(_corrections(file, problems))
        if not found:
            break
        fixed += found
        file = file.having(spliced_bytes(file.content, found.values()))
        problems = _problems(file)
    return Correction(before, file.content, tuple(fixed), problems)


def _problems(file: File) -> tuple[Problem, ...]:
    try:
        return file.reading.warnings
    except ConfigError as error:
        return error.problems


def _corrections(file: File, problems: Iterable[Problem]) -> Iterator[tuple[Problem, Splice]]:
    """The problems that have a safe correction, with it; no two overlap."""
    keys = Counter(_renaming(problem) for problem in problems if problem.code == "unknown-key")
    safe = [problem for problem in problems if _is_safe(problem) and keys[_renaming(problem)] <= 1]
    if safe:
        yield from _replacements(read_text(file.content, file.name).text, safe)
        return
    # In a round of their own, because an entry may end on a line that is corrected.
    duplicates = [problem for problem in problems if problem.code == "duplicate-entry"]
    if duplicates:
        yield from _removals(file.document, duplicates)


def _renaming(problem: Problem) -> tuple[str | None, str]:
    """What an unknown key would become, and in which mapping."""
    return problem.fix, problem.message.partition("` in `")[2]


def _is_safe(problem: Problem) -> bool:
    """Whether the problem's own fix is the only thing that can be meant."""
    if problem.fix is None:
        return False
    start = problem.source.column - 1
    written = problem.line_text[start : start + problem.length]
    fix = problem.fix
    if problem.code == "unquoted-asterisk":
        # `*name` is an alias to an anchor that is missing or misspelt.
        return fix == quoted(written) and (written == "*" or not re.fullmatch(r"\*[\w-]+", written))
    if problem.code == "unknown-key":
        return is_spelling_of(written.strip(_QUOTES), fix)
    written, fix = written.strip(_QUOTES), fix.strip('"')
    if problem.code == "origin-ip-address":
        return _same_address(written, fix)
    if problem.code == "origin-invisible-character":
        return INVISIBLE.sub("", written) == fix
    return problem.code in _ORIGIN_CODES and _same_origin(written, fix)


def _same_origin(written: str, fix: str) -> bool:
    """Whether `fix` differs in nothing but case, a slash at the end and a default port."""
    plain = written.lower().removesuffix("/")
    return "://" in fix and _DEFAULT_PORT.sub(r"\1\2", plain) == fix


def _same_address(written: str, fix: str) -> bool:
    """Whether nothing but the address is spelled otherwise, and in a way that is not read as
    another one: octal numbers are usually meant as decimal ones."""
    one, other = take_apart(written), take_apart(fix)
    if one._replace(host="") != other._replace(host=""):
        return False
    if one.host.startswith("["):
        return f"[{canonical_ipv6(one.host[1:-1])}]" == other.host
    return canonical_ipv4(one.host) == other.host and not _OCTAL.search(one.host)


def _replacements(text: str, problems: Iterable[Problem]) -> Iterator[tuple[Problem, Splice]]:
    """The problems with their own fixes, in the quotes that are there."""
    line_starts = [0, *(found.end() for found in LINE_BREAK.finditer(text))]
    end = 0
    for problem in problems:
        start = line_starts[problem.source.line - 1] + problem.source.column - 1
        if start < end:
            continue
        end = start + problem.length
        fix, quote = problem.fix or "", text[start : start + 1]
        if quote in ("'", '"') and fix[:1] not in ("'", '"'):
            fix = f"{quote}{fix}{quote}"
        yield problem, Splice(start, end, fix)


def _removals(
    document: Document, duplicates: Iterable[Problem]
) -> Iterator[tuple[Problem, Splice]]:
    """The duplicates that can be taken out without taking anything else."""
    wanted = {problem.source: problem for problem in duplicates}
    end = 0
    for sequence in _sequences(document.root):
        for index, item in enumerate(sequence.items):
            problem = wanted.get(document.source.source(item))
            if problem is None or item.anchor is not None or not index:
                continue
            splice = _removal(document.source, sequence, index)
            if splice is not None and splice.start >= end:
                del wanted[problem.source]
                end = splice.end
                yield problem, splice


def _sequences(root: Mapping) -> Iterator[Sequence]:
    pending: list[Node] = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, Sequence):
            yield node
            pending += reversed(node.items)
        elif isinstance(node, Mapping):
            pending += [entry.value for entry in reversed(node.entries)]


def _removal(source: SourceText, sequence: Sequence, index: int) -> Splice | None:
    """Return what takes an item out, or None where a comment would go with it."""
    item, previous = sequence.items[index], sequence.items[index - 1]
    if item.start.line != item.end.line:
        return None
    line = source.line(item.start.line)
    rest = line[item.end.column - 1 :]
    if sequence.flow:
        between = source.text[previous.end.offset : item.start.offset]
        commented = item.start.line > previous.end.line and _COMMENTED.match(rest)
        if commented or not _BETWEEN.fullmatch(between):
            return None
        return Splice(previous.end.offset, item.end.offset, "")
    if not _ITEM.fullmatch(line[: item.start.column - 1]) or rest.strip():
        return None
    # With the line break before it: the last line may have none behind it.
    start = item.start.offset - item.start.column + 1
    line_break = 2 if source.text[start - 2 : start] == "\r\n" else 1
    return Splice(start - line_break, start + len(line), "")
