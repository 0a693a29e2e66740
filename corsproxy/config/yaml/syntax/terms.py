"""`until` and `reason` where no mapping is: below an origin, or behind one."""

import re

from corsproxy.config.problems import Problem
from corsproxy.config.terms import in_braces
from corsproxy.config.yaml.syntax.refusal import Line, Refusal

_ITEM = re.compile(r"[ ]*- +([\"']?[^\s{\"']+://\S*)(?:\s+#.*|\s*)")
_TERM = re.compile(r"[ ]*((?:until|reason):(?:\s.*)?)")
_BEHIND = re.compile(
    r"[ ]*- +(origin:\s+([^\s{\"']+://\S*?)[\s,;]+((?:until|reason):\s.*?))(?:\s+#.*|\s*)"
)


def terms_below(refusal: Refusal) -> Problem | None:
    """Terms below an origin that is a text, so that YAML takes them for more of that text."""
    found = _item_above(refusal)
    if found is None:
        return None
    above, origin = found
    indent = len(refusal.text) - len(refusal.text.lstrip(" "))
    if indent <= above.indent:
        return None
    message = "an entry with an end or a reason is a mapping, not a text"
    # Only below its first key is a key of the same mapping.
    fits = indent == above.key_indent
    help = "write `origin: ` before it" if fits else "write `origin: ` before it, and align them"
    entry = in_braces(origin.strip("\"'"), _terms(refusal))
    if entry is not None:
        help = f"{help}; or all on one line: `- {entry}`"
    fix = f"origin: {origin}" if fits else None
    place = above.number, above.key_indent + 1
    return refusal.at("wrong-type", place, len(origin), message, help, fix)


def terms_beside(refusal: Refusal) -> Problem | None:
    """Terms at the column of the dash of their entry."""
    found = _item_above(refusal)
    if found is None or refusal.before.strip():
        return None
    above, origin = found
    entry = in_braces(origin.strip("\"'"), _terms(refusal))
    message = "this lines up with the list's dashes but is not an item"
    help = f"write `- origin: ` on line {above.number}, and indent this below `origin`"
    if entry is not None:
        help = f"write the entry on one line: `- {entry}`"
    length = len(refusal.text.strip())
    return refusal.at("indentation", (refusal.line, refusal.column), length, message, help)


def terms_behind(refusal: Refusal) -> Problem | None:
    """Terms on the line of their entry's origin."""
    if "mapping values are not allowed" not in refusal.problem:
        return None
    found = _BEHIND.fullmatch(refusal.text)
    if found is None:
        return None
    entry = in_braces(found[2], found[3])
    message = "a second key on the line of the first"
    help = "write each key on a line of its own, one below the other"
    if entry is None or refusal.goes_on:
        place = refusal.line, found.start(3) + 1
        return refusal.at("colon-in-value", place, len(found[3]), message, help)
    place = refusal.line, found.start(1) + 1
    help = f"write `{entry}`, or each key on a line of its own"
    return refusal.at("colon-in-value", place, len(found[1]), message, help, entry)


def _item_above(refusal: Refusal) -> tuple[Line, str] | None:
    """Return the line above terms that cannot stand there, and the origin that is its item."""
    in_a_list = refusal.context == "while parsing a block collection"
    if not in_a_list and "mapping values are not allowed" not in refusal.problem:
        return None
    above = next(refusal.above(), None)
    item = above and _ITEM.fullmatch(above.text)
    if above is None or item is None or _TERM.fullmatch(refusal.text) is None:
        return None
    return above, item[1]


def _terms(refusal: Refusal) -> str:
    """Return all terms from the place on, as if they stood on one line."""
    terms = []
    for number in range(refusal.line, refusal.line + 2):
        found = _TERM.fullmatch(refusal.source.line(number))
        if found is None:
            break
        terms.append(found[1].partition(" #")[0].rstrip())
    return " ".join(terms)
