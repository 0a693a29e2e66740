"""A mapping of the file with the keys that it may have, read one key at a time.

Each method reports what is wrong with its key and returns the default then, as it does
where the key is missing, so that reading goes on. Booleans and numbers follow YAML 1.2's
core schema (10.3.2): `yes`, `off` and `1:30` are texts.
"""

import re
from collections.abc import Callable
from collections.abc import Sequence as ValueSequence
from typing import TypeVar

from corsproxy.config.findings import Findings, Parsed, Value
from corsproxy.config.keys import KEYS, KEYS_AT, AnyPlace, Suggestion, can_hold, suggest
from corsproxy.config.listings import Listing, ReadMapping, read_listing
from corsproxy.config.mistakes import BadValueError
from corsproxy.config.spelling import as_value, shown, with_space
from corsproxy.config.units import parse_duration, parse_size
from corsproxy.config.yaml.nodes import Entry, Mapping, Node, Scalar, is_null, kind_of

_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_LIKE_TRUE = frozenset({"true", "yes", "on", "1", "y", "enabled"})
_LIKE_FALSE = frozenset({"false", "no", "off", "0", "n", "disabled", "none"})
_INTEGER = re.compile(r"0|[1-9][0-9]{0,15}")

_NO_LIMIT = frozenset(
    {
        "", "0", "0s", "-1", "~", "null", "none", "off", "no", "false", "never", "infinite",
        "infinity", "unlimited",
    }
)  # fmt: skip
_GUESSED = 200
_LONGEST_KEY = 64
_LONGEST_SHOWN = 200
_LONGEST_TIME = 365 * 86400.0
_LARGEST_NUMBER = 2**53

Word = TypeVar("Word", bound=str)


class Section:
    """A mapping at `path`, "" for the whole file."""

    def __init__(self, findings: Findings, node: Mapping, place: AnyPlace, path: str) -> None:
        self.findings = findings
        self.node = node
        self.path = path
        self.meant: dict[str, Entry] = {}
        """Entries under unknown keys, by the key that was most likely meant."""
        self._written = {entry.key.text for entry in node.entries}
        self._entries: dict[str, Entry] = {}
        for entry in node.entries:
            if entry.key.text in KEYS_AT[place]:
                self._entries[entry.key.text] = entry
            # Like Compose: a place for anchors that belong to no key.
            elif place != "top" or not entry.key.text.startswith("x-"):
                self._unknown(place, entry)

    def _unknown(self, place: AnyPlace, entry: Entry) -> None:
        key = entry.key
        where = f" in `{self.path}`" if self.path else ""
        if not key.text.strip():
            self.findings.error("unknown-key", key, f"a key is missing before the colon{where}")
            return
        suggestion = Suggestion("")
        # A file with more problems than this needs no guesses but another file.
        if self.findings.count < _GUESSED and len(key.text) <= _LONGEST_KEY:
            suggestion = suggest(place, key.text)
        if place == "top" and suggestion.key is None and "upstream" in self._written:
            suggestion = Suggestion(self.in_route(key.text) or suggestion.help)
        help, fix = suggestion
        if fix is not None:
            self.meant[fix] = entry
            if not can_hold(fix, entry.value):
                help += f" Its value cannot be {kind_of(entry.value)}"
                fix = None
            elif fix in self._written:
                fix = None
        message = f"unknown key {shown(key.text)}{where}"
        self.findings.error("unknown-key", key, message, help, fix)

    def in_route(self, key: str) -> str | None:
        """Return the route to write in place of a short form that has no room for its key."""
        if key not in KEYS["route"] or "upstream" not in self._written:
            return None
        entries = {entry.key.text: entry.value for entry in self.node.entries}
        url, value = self._in_one_line(entries["upstream"]), self._in_one_line(entries[key])
        route = f"{{path: /, upstream: {url}, {key}: {value}}}"
        return f"it is a route's: in place of `upstream` and it write `routes: [{route}]`"

    def _in_one_line(self, node: Node) -> str:
        raw = self.findings.source_text.raw(node)
        is_block = not isinstance(node, Scalar) and not node.flow
        return "..." if is_block or "\n" in raw or len(raw) > _LONGEST_SHOWN else raw

    def where(self, key: str) -> str:
        """Return the key's path, such as `routes[0].cors.max_age`."""
        return f"{self.path}.{key}" if self.path else key

    def has(self, key: str) -> bool:
        """Whether the key is written, with a value or without."""
        return key in self._entries

    def lacks(self, key: str) -> bool:
        """Whether the key is missing, and not only misspelled."""
        return key not in self._entries and key not in self.meant

    def key(self, key: str) -> Scalar:
        """Return where the key itself is written, or misspelled."""
        return (self._entries.get(key) or self.meant[key]).key

    def raw(self, key: str) -> Node:
        """Return the value of a key that is not lacking, whatever it is."""
        return (self._entries.get(key) or self.meant[key]).value

    def _entry(self, key: str) -> Entry | None:
        """Return what is to be read under a key: a misspelled one is read as what was meant, so
        that what is wrong below it is found at once. Not if its value cannot be that: then the
        guess is likely wrong, and has been reported."""
        meant = self.meant.get(key)
        if meant is not None and not can_hold(key, meant.value):
            meant = None
        return self._entries.get(key) or meant

    def get(self, key: str, hint: str = "write one, or remove the key") -> Node | None:
        """Return the key's value; None where the key is missing or has none."""
        entry = self._entry(key)
        if entry is None:
            return None
        if not is_null(entry.value):
            return entry.value
        after = self.findings.source_text.line(entry.key.end.line)[entry.key.end.column :]
        if re.match(r"\s*#\S", after):
            hint = "`#` starts a comment: quote the value"
        message = f"`{self.where(key)}` has no value"
        self.findings.error("missing-value", entry.key, message, hint)
        return None

    def value(self, key: str, hint: str = "write one, or remove the key") -> Value | None:
        """Return the key's single value, filled in."""
        node = self.get(key, hint)
        return None if node is None else self.findings.value(node, self.where(key))

    def parsed(self, key: str, parse: Callable[[str], Parsed], hint: str) -> Parsed | None:
        """Return what `parse` makes of the key's value; None if it raises BadValueError, too."""
        value = self.value(key, hint)
        return None if value is None else self.findings.parsed(parse, value, self.where(key))

    def mapping(
        self, key: str, place: AnyPlace, example: str, main: str | None = None
    ) -> "Section | None":
        """Return the key's mapping; `example` shows one to who wrote something else.

        A single value is most likely meant for the key `main`.
        """
        node = self.get(key, f"write a mapping, such as `{example}`")
        if node is None:
            return None
        return as_section(self.findings, node, place, self.where(key), example, main)

    def flag(self, key: str, default: bool) -> bool:
        """Return the key's boolean."""
        value = self.value(key, "write true or false")
        if value is None:
            return default
        if value.plain and value.text in _TRUE | _FALSE:
            return value.text in _TRUE
        word = value.text.lower()
        likely = "true" if word in _LIKE_TRUE else "false" if word in _LIKE_FALSE else None
        help = f"write `{likely}`" if likely else "write `true` or `false`"
        message = f"{shown(value.text)} is not true or false"
        if not value.plain and word == likely:
            message, help = f"{shown(value.text)} is a text, not a boolean", "remove the quotes"
        self.refuse(key, value, message, help, likely)
        return default

    def choice(
        self,
        key: str,
        choices: ValueSequence[Word],
        default: Word,
        also: dict[str, Word] | None = None,
    ) -> Word:
        """Return the key's word, one of `choices`; `also` knows likely mistakes."""
        value = self.value(key, f"write one of: {', '.join(choices)}")
        if value is None:
            return default
        if value.text in choices:
            return choices[choices.index(value.text)]
        word = value.text.lower()
        likely = word if word in choices else (also or {}).get(word)
        message = f"{shown(value.text)} is not one of {', '.join(choices)}"
        help = f"write `{likely}`" if likely else "write one of them"
        self.refuse(key, value, message, help, likely)
        return default

    def duration(self, key: str, default: float, *, zero: bool = True) -> float:
        """Return the key's duration in seconds."""
        value = self.value(key, "write a duration, such as `10s`")
        if value is None:
            return default
        try:
            seconds = parse_duration(value.text)
        except BadValueError as mistake:
            if value.text in _NO_LIMIT:
                mistake.help = "write a duration, such as `10s`; this wait always has a bound"
            self.findings.mistake(value, mistake, self.where(key))
            return default
        if (seconds > 0 or (zero and seconds == 0)) and seconds <= _LONGEST_TIME:
            return seconds
        help = "write more than 0, and at most 365d" if not zero else "write at most 365d"
        self.refuse(key, value, f"{shown(value.text)} is out of range", help, code="out-of-range")
        return default

    def duration_or_none(self, key: str, default: float | None) -> float | None:
        """Return the key's duration in seconds, or None for `none`: no limit."""
        if self._is_none(key, zero="0 would end every wait at once"):
            return None
        seconds = self.duration(key, -1.0, zero=False)
        return default if seconds < 0 else seconds

    def size(self, key: str, default: int) -> int:
        """Return the key's size in bytes, 1 or more."""
        value = self.value(key, "write a size, such as `64KiB`")
        size = value and self.findings.parsed(parse_size, value, self.where(key))
        if value is None or size is None:
            return default
        return size if self._in_range(key, value, size) else default

    def size_or_none(self, key: str, default: int | None) -> int | None:
        """Return the key's size in bytes, or None for `none`: no limit."""
        if self._is_none(key, zero="0 means no limit to some programs, and nothing to others"):
            return None
        size = self.size(key, -1)
        return default if size < 0 else size

    def count(self, key: str, default: int) -> int:
        """Return the key's whole number, 1 or more."""
        value = self.value(key, "write a number")
        if value is None:
            return default
        if not value.plain or not _INTEGER.fullmatch(value.text):
            digits = re.fullmatch(r"[+0]*([1-9][0-9_,]{0,15})(?:\.0*)?", value.text)
            likely = re.sub("[_,]", "", digits[1]) if digits else None
            help = f"write `{likely}`" if likely else "write digits only"
            message = f"{shown(value.text)} is not a whole number"
            if likely == value.text:
                message, help = f"{shown(value.text)} is a text, not a number", "remove the quotes"
            self.refuse(key, value, message, help, likely)
            return default
        number = int(value.text)
        return number if self._in_range(key, value, number) else default

    def count_or_none(self, key: str, default: int | None) -> int | None:
        """Return the key's whole number, or None for `none`: the default limit."""
        if self._is_none(key, zero="0 would let nothing through"):
            return None
        count = self.count(key, -1)
        return default if count < 0 else count

    def listing(
        self,
        key: str,
        hint: str = "write a list; `[]` is an empty one",
        read_mapping: ReadMapping | None = None,
    ) -> Listing | None:
        """Return the key's list of texts; a single text is a list of one."""
        node = self.get(key, hint)
        if node is None:
            return None
        return read_listing(self.findings, node, self.where(key), read_mapping)

    def _is_none(self, key: str, zero: str) -> bool:
        """Whether the key says `none`. Reports the other ways to say so."""
        entry = self._entry(key)
        if entry is None or not isinstance(entry.value, Scalar):
            return False
        text = entry.value.text
        if not is_null(entry.value):
            value = self.findings.value(entry.value, self.where(key))
            text = text if value is None else value.text
        if text == "none":
            return True
        if text not in _NO_LIMIT:
            return False
        help = "write `none`" if text != "0" else f"write `none`; {zero}"
        message = f"`{self.where(key)}`: no limit is written `none`"
        span = entry.key if is_null(entry.value) else entry.value
        fix = None if is_null(entry.value) else "none"
        self.findings.error("say-none", span, message, help, fix)
        return True

    def _in_range(self, key: str, value: Value, number: int) -> bool:
        if 0 < number <= _LARGEST_NUMBER:
            return True
        message = f"{shown(value.text)} is out of range"
        self.refuse(key, value, message, "write 1 or more", code="out-of-range")
        return False

    def refuse(
        self,
        key: str,
        value: Value,
        message: str,
        help: str,
        likely: str | None = None,
        code: str = "wrong-type",
    ) -> None:
        """Report a value; `likely` is what to write instead, as YAML has it."""
        fix = likely if value.literal else None
        self.findings.error(code, value.node, f"`{self.where(key)}`: {message}", help, fix)


def as_section(
    findings: Findings,
    node: Node,
    place: AnyPlace,
    path: str,
    example: str,
    main: str | None = None,
) -> Section | None:
    """Return `node` as a mapping; None after the problem was reported that it is none.

    `example` and `main` as for `Section.mapping`.
    """
    if isinstance(node, Mapping):
        return Section(findings, node, place, path)
    help, fix = f"write a mapping, such as `{example}`", None
    if isinstance(node, Scalar) and node.plain:
        fix = with_space(node.text)
        if fix is not None:
            help = "write a space after the colon"
        elif main is not None and "$" not in node.text:
            fix = f"{{{main}: {as_value(node.text)}}}"
            help = f"write a mapping: {shown(fix)}"
    found = "empty" if is_null(node) else kind_of(node)
    message = f"`{path}` is {found}, not a mapping of keys to values"
    findings.error("wrong-type", node, message, help, fix)
    return None
