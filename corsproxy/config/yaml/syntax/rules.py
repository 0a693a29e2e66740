"""What a YAML parser's refusal means to the person who wrote the file.

A parser says where it could not go on ("did not find expected key"), which is seldom
where the mistake is. Each rule here knows one common mistake by its looks, names its
place, and says what to write. What no rule knows keeps the parser's own words.
"""

import re
from collections.abc import Callable

import yaml

from corsproxy.config.problems import Problem
from corsproxy.config.yaml.source_text import SourceText
from corsproxy.config.yaml.syntax import blocks, separators, terms, values
from corsproxy.config.yaml.syntax.refusal import Refusal

# The rules search within lines; longer ones are not written by hand.
_LONGEST_LINE = 2000

_TOO_DEEP = "exceeded maximum nesting depth"

_CONFLICT = re.compile(r"(?m)^(?:<{7}|>{7}|={7}|\|{7})(?=[ \r\n]|\Z)[^\r\n]*")


def is_too_deep(error: yaml.MarkedYAMLError) -> bool:
    """Whether the parser refused the nesting. libyaml 0.2.6 does so beyond 1,000 levels."""
    return error.problem == _TOO_DEEP


def explain(error: yaml.MarkedYAMLError, source: SourceText) -> Problem:
    """Return what is wrong with a text that the parser refused with `error`."""
    mark = error.problem_mark or error.context_mark
    began = error.context_mark or mark
    # libyaml and PyYAML's own parser differ in these words.
    problem = (error.problem or "").replace("did not find expected", "expected")
    refusal = Refusal(
        source,
        problem.replace("an '-' indicator", "'-'"),
        mark.line + 1 if mark else 1,
        mark.column + 1 if mark else 1,
        error.context or "",
        began.line + 1 if began else 1,
        began.column + 1 if began else 1,
    )
    lines = {refusal.text, source.line(refusal.context_line)}
    if max(map(len, lines)) <= _LONGEST_LINE:
        for rule in _RULES:
            found = rule(refusal)
            if found is not None:
                return found
    return _in_the_parsers_words(refusal)


def _conflict(refusal: Refusal) -> Problem | None:
    found = _CONFLICT.search(refusal.source.text)
    if found is None:
        return None
    line = len(SourceText("", refusal.source.text[: found.start()]).lines)
    message = "an unresolved merge conflict"
    help = "keep one side, and remove the lines with the marks"
    return refusal.at("merge-conflict", (line, 1), len(found[0]), message, help)


def _in_the_parsers_words(refusal: Refusal) -> Problem:
    words = refusal.problem.replace("could not find expected", "expected") or "this is not YAML"
    if refusal.context:
        words = f"{words}, {refusal.context}"
    line, column = refusal.line, refusal.column
    while line > 1 and not refusal.source.line(line).strip():
        line -= 1
        column = max(len(refusal.source.line(line)), 1)
    return refusal.at("yaml-syntax", (line, column), 1, words)


_RULES: tuple[Callable[[Refusal], Problem | None], ...] = (
    _conflict,
    values.template,
    blocks.tab,
    values.indicator,
    values.open_quote,
    values.bad_escape,
    values.brackets_of_ipv6,
    terms.terms_below,
    terms.terms_beside,
    blocks.beside_items,
    blocks.no_dash,
    blocks.beside_key,
    separators.space_after_colon,
    blocks.no_colon_above,
    blocks.too_deep,
    terms.terms_behind,
    separators.nested_key,
    separators.second_colon,
    separators.empty_entry,
    values.variable_in_brackets,
    values.after_value,
    separators.open_bracket,
    blocks.no_colon,
    blocks.mixed,
    blocks.first_line,
    blocks.misaligned,
    blocks.after_the_end,
    separators.no_key,
)
