"""Mistakes of indentation, and lines that are neither a key nor a list item."""

import re

from corsproxy.config.problems import Problem
from corsproxy.config.spelling import as_value, shown, without_bullet
from corsproxy.config.yaml.syntax.refusal import Refusal

_KEY_WITH_VALUE = re.compile(r"[ ]*(?:- +)*[A-Za-z_][\w.-]*:[ ]+[^\s#].*")
_NO_KEY = re.compile(r"[ ]*(?:- +)*([A-Za-z_]\w*(?:[ ]+[^\s:]\S*)?)")
_KEY_BEFORE = re.compile(r"[ ]*(?:- +)*[A-Za-z_][\w.-]*:\s+")
_SIMPLE = re.compile(r"[^\s'\"{}\[\],]+|'[^']*'|\"[^\"\\]*\"")
_QUOTES = "'\""


def tab(refusal: Refusal) -> Problem | None:
    """A tab where spaces indent."""
    text = refusal.text
    indent = len(text) - len(text.lstrip(" \t"))
    before = text.find("\t")
    if not 0 <= before < indent:
        if refusal.character != "\t":
            return None
        place = refusal.line, refusal.column
        return refusal.at("tab", place, 1, "a tab is not allowed here", "write a space", " ")
    tabs = indent - before
    wanted = _next_indent(refusal, text.lstrip().startswith("- ")) - before
    fix = " " * wanted if wanted >= 0 and text[before:indent] == "\t" * tabs else None
    message = "tabs are not allowed in indentation"
    return refusal.at("tab", (refusal.line, before + 1), tabs, message, "indent with spaces", fix)


def _next_indent(refusal: Refusal, item: bool) -> int:
    """Return where the line belongs, judged by the one above it."""
    for line in refusal.above():
        if line.text.rstrip().endswith(":"):
            return line.key_indent + 2
        return line.indent if item else line.key_indent
    return 0


def too_deep(refusal: Refusal) -> Problem | None:
    """A key that is indented below a key with a value."""
    if "mapping values are not allowed" not in refusal.problem or ": " in refusal.before:
        return None
    indent = len(refusal.text) - len(refusal.text.lstrip(" "))
    above = next(refusal.above(), None)
    if above is None or above.key_indent >= indent or not _KEY_WITH_VALUE.match(above.text):
        return None
    message = "indented further than the line above, which has a value"
    place = refusal.line, above.key_indent + 1
    length = indent - above.key_indent
    return refusal.at("indentation", place, length, message, "indent both lines alike", "")


def no_colon_above(refusal: Refusal) -> Problem | None:
    """A line without a colon above a key, which YAML takes for the key's first words."""
    if "mapping values are not allowed" not in refusal.problem or ": " in refusal.before:
        return None
    above = next(refusal.above(), None)
    found = above and _NO_KEY.fullmatch(above.text.rstrip())
    if above is None or not found:
        return None
    return _missing_colon(refusal, (above.number, found.start(1) + 1), found[1])


def _missing_colon(refusal: Refusal, place: tuple[int, int], text: str) -> Problem:
    word, space, rest = text.partition(" ")
    fix = f"{word}:{space}{rest}"
    message = "a key is followed by a colon, and a list item starts with a dash"
    return refusal.at("missing-colon", place, len(text), message, f"write {shown(fix)}", fix)


def beside_items(refusal: Refusal) -> Problem | None:
    """A key that stands below a list's dashes and so belongs to no item."""
    if refusal.context != "while parsing a block collection" or refusal.before.strip():
        return None
    indent, wanted = len(refusal.before), refusal.context_column + 1
    rest = refusal.text[indent:]
    message = "this lines up with the list's dashes but is not an item"
    help = "indent it below the item above, or start it with `- `"
    above = next(refusal.above(), None)
    fix = " " * (wanted - indent) + rest if wanted > indent else None
    if above is None or ":" not in above.text or above.text.rstrip().endswith(("}", "]")):
        # Nothing can be indented below a single value.
        help, fix = "start it with `- ` if it is an item", None
    return refusal.at("indentation", (refusal.line, refusal.column), len(rest), message, help, fix)


def no_dash(refusal: Refusal) -> Problem | None:
    """A list item without its dash."""
    if "could not find expected ':'" not in refusal.problem:
        return None
    indent = refusal.context_column - 1
    above = next((line for line in refusal.above() if line.number < refusal.context_line), None)
    if above is None or above.indent != indent or not above.text[indent:].startswith("- "):
        return None
    rest = refusal.source.line(refusal.context_line)[indent:]
    place = refusal.context_line, refusal.context_column
    message = "a list item starts with `- `"
    fix = f"- {without_bullet(rest)}"
    return refusal.at("missing-dash", place, len(rest), message, f"write {shown(fix)}", fix)


def beside_key(refusal: Refusal) -> Problem | None:
    """List items that start on the line of their key."""
    if "sequence entries are not allowed" not in refusal.problem:
        return None
    if _KEY_BEFORE.fullmatch(refusal.before) is None:
        return None
    rest = refusal.text[refusal.column - 1 :].partition(" #")[0].rstrip()
    items = re.split(r"(?:^|\s+)- +", rest)[1:]
    fix = None
    if not refusal.goes_on and items and all(map(_SIMPLE.fullmatch, items)):
        fix = f"[{', '.join(item if item[0] in _QUOTES else as_value(item) for item in items)}]"
    message = "a list with dashes starts on the line below its key"
    help = "write each item on a line of its own, below the key"
    if fix is not None:
        help = f"write `{fix}`, or each item on a line of its own, below the key"
    place = refusal.line, refusal.column
    return refusal.at("mixed-block", place, len(rest), message, help, fix)


def no_colon(refusal: Refusal) -> Problem | None:
    """A line that is no key and no list item."""
    if "could not find expected ':'" not in refusal.problem:
        return None
    rest = refusal.source.line(refusal.context_line)[refusal.context_column - 1 :].rstrip()
    place = refusal.context_line, refusal.context_column
    if _NO_KEY.fullmatch(rest):
        return _missing_colon(refusal, place, rest)
    message = "a key is followed by a colon, and a list item starts with a dash"
    return refusal.at("missing-colon", place, len(rest), message)


def mixed(refusal: Refusal) -> Problem | None:
    """A dash among the keys of a mapping."""
    if refusal.context != "while parsing a block mapping" or refusal.before.strip():
        return None
    if refusal.character != "-" or len(refusal.before) != refusal.context_column - 1:
        return None
    message = "a list item cannot be among the keys of a mapping"
    help = "indent it below the key that it belongs to"
    return refusal.at("mixed-block", (refusal.line, refusal.column), 1, message, help)


def first_line(refusal: Refusal) -> Problem | None:
    """A first key that is indented, and others that are not."""
    if "document start" not in refusal.problem or refusal.column != 1:
        return None
    first = min(refusal.above(), default=None)
    if first is None or not first.indent:
        return None
    message = "the first key is indented, and others are not"
    help = "indent all keys of the file alike"
    return refusal.at("indentation", (first.number, 1), first.indent, message, help, "")


def misaligned(refusal: Refusal) -> Problem | None:
    """A line whose indentation is that of no line above it."""
    expected = re.search("expected key|block end|document start", refusal.problem)
    if expected is None or refusal.before.strip():
        return None
    indent = len(refusal.before)
    levels = _levels_above(refusal)
    if not levels or indent in levels:
        return None
    wanted = min(levels, key=lambda level: (abs(level - indent), -level))
    message = "this indentation matches no line above"
    help = f"indent it by {wanted} spaces, like the line that it belongs with"
    if wanted < indent:
        place = refusal.line, wanted + 1
        return refusal.at("indentation", place, indent - wanted, message, help, "")
    rest = refusal.text[indent:]
    fix = " " * (wanted - indent) + rest
    return refusal.at("indentation", (refusal.line, indent + 1), len(rest), message, help, fix)


def _levels_above(refusal: Refusal) -> list[int]:
    """Return where lines like this one stand in the blocks that enclose it."""
    item = refusal.text.lstrip().startswith("- ")
    levels: list[int] = []
    for line in refusal.above():
        if item and not line.text.lstrip().startswith("- "):
            continue
        level = line.indent if item else line.key_indent
        if not levels or level < levels[-1]:
            levels.append(level)
    return levels


def after_the_end(refusal: Refusal) -> Problem | None:
    """Something behind the document's one value."""
    if "document start" not in refusal.problem:
        return None
    message = "this is outside the file's mapping"
    help = "indent all keys of the file alike, and remove `...`"
    rest = refusal.text[refusal.column - 1 :]
    return refusal.at("outside", (refusal.line, refusal.column), len(rest), message, help)
