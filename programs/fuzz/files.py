"""Targets: the allowlist file, read and edited."""

import re

from corsproxy.config.editing.edits import File, allow
from corsproxy.config.editing.fixes import correct
from corsproxy.config.editing.splices import EditError
from corsproxy.config.keys import KEYS
from corsproxy.config.problems import ConfigError
from corsproxy.core.advice.remedies import RemedyKey
from corsproxy.core.policy import Policy
from programs.fuzz.draw import Draw
from tests.config.editor import complaints
from tests.config.layouts import COMMENTS, STYLES, Written
from tests.test_hostile_files import ENVIRON, outcome

YAML_WORDS = (
    *(key.encode() + b": " for key in sorted({key for keys in KEYS.values() for key in keys})),
    b"\n  - ", b"\n    ", b"[", b"]", b"{", b"}", b"&a ", b"*a", b"<<: ", b"'", b'"', b"|\n",
    b">-\n",
    b"# ", b"${NAME}", b"${X:-y}", b"http://localhost:5173", b"https://a.test", b"unix:/x", b"? ",
    b"!!str ", b"%YAML 1.2\n---\n", b"...\n", b"null", b"true", b"10m", b"64KiB", b"\xef\xbb\xbf",
    b"\t",
)  # fmt: skip


def file_text(data: bytes) -> None:
    """A file becomes a complete policy, or problems with their places."""
    found = outcome(data)
    if isinstance(found, Policy):
        assert complaints(data) == []


_ORIGINS = ("http://localhost:5173", "https://a.test", "https://*.b.test", "${URL}", "null")
_FRAGMENTS = (
    b"  allow_credentials: false\n", b"  allow_headers: [x-a]\n", b"allowed_hosts: [a.test]\n",
    b"  allow_methods: # none\n    - PUT\n",
    b"routes:\n  - path: /a\n    upstream: http://a.test\n",
    b"    cors: {allow_origins: [https://r.test]}\n", b"# comment\n", b"\n", b" ", b"- ", b"&x ",
    b"*x",
    b"<<: *x\n", b"'", b'"', b",", b"]", b"[", b"}", b"{", b"cors: passthrough\n", b"\r", b"\t",
    b"|\n",
)  # fmt: skip
EDIT_WORDS = _FRAGMENTS


def drawn_file(draw: Draw) -> bytes:
    """A file as a person or a program might have written it, and then damaged."""
    written = Written(
        draw.pick(STYLES), 1 + draw.number(5), draw.number(4), draw.pick((" ", "   ")),
        draw.pick(("", "'", '"')), draw.pick(COMMENTS), draw.pick(("\n", "\r\n")),
        *(draw.flag() for _ in range(4)),
    )  # fmt: skip
    content = written.file([draw.pick(_ORIGINS) for _ in range(1 + draw.number(2))])
    for _ in range(draw.number(4)):
        at = min(draw.number() + draw.number(), len(content))
        if draw.flag():
            at = content.rfind(b"\n", 0, at) + 1
        content = content[:at] + draw.word(_FRAGMENTS) + content[at + draw.number(3) :]
    return content


_VALUES = (
    "https://new.test", "http://localhost:*", "*", "null", "PUT", "x-new", "content-type", "true",
    "host.test", "https://*.b.test", "patch", "'", "a: b", "- x", "#", "${URL}", "\n", "",
)  # fmt: skip


_KEYS: tuple[RemedyKey, ...] = ("allow_origins", "allow_methods", "allow_headers", "allowed_hosts")


def edits(data: bytes) -> None:
    """An edit adds what it says and nothing else, both to the bytes and to their meaning."""
    draw = Draw(data)
    file = File(drawn_file(draw), "corsproxy.yaml", ENVIRON, "/etc/corsproxy")
    key = draw.pick(_KEYS)
    value = draw.pick(_VALUES) + draw.string().decode("latin-1")
    route = draw.pick((None, None, None, "a", "/", "b"))
    check_correction(file)
    try:
        edit = allow(file, key, value, route)
    except (ConfigError, EditError):
        return
    assert edit.before == file.content
    if not edit.changed:
        return
    assert is_part_of(edit.before, edit.after)
    if "'" in value:
        return  # `meaning` could not leave it out
    before, after = (file.having(each).reading.policy for each in (edit.before, edit.after))
    assert meaning(after, value) == meaning(before, value), (meaning(before), meaning(after))
    assert meaning(after) != meaning(before)


def check_correction(file: File) -> None:
    """A corrected file has nothing left to correct, and a sound file keeps its meaning."""
    once = correct(file)
    again = correct(file.having(once.after))
    assert again.after == once.after
    try:
        before = file.reading.policy
    except ConfigError:
        return
    assert meaning(file.having(once.after).reading.policy) == meaning(before)


def is_part_of(part: bytes, whole: bytes) -> bool:
    """Whether `whole` contains every byte of `part`, in order."""
    left = iter(whole)
    return all(byte in left for byte in part)


_LIST = re.compile(r"(names=\(|OriginSet\(\[|frozenset\(\{)((?:'[^']*',? ?)*)")


def meaning(policy: Policy, without: str = "") -> str:
    """Everything that a policy says, except places in the file and repetitions. One value may be
    left out, or with "*" every list."""
    text = re.sub(r"Source\(name='[^']*', line=\d+, column=\d+\)", "", repr(policy))
    text = text.replace("frozenset()", "frozenset({})")
    if without == "*":
        text = re.sub(r"(any(?:_host)?)=(?:True|False)", r"\1", text)

    def said(found: re.Match[str]) -> str:
        names = dict.fromkeys(re.findall(r"'[^']*'", found[2]))
        kept = [name for name in names if name[1:-1].lower() != without.lower()]
        # A set has no order.
        kept = sorted(kept) if found[1].startswith("f") else kept
        return found[1] if without == "*" else found[1] + ", ".join(kept)

    return _LIST.sub(said, text)
