"""An exchange as a curl command, a fetch call, a `corsproxy explain` command or a test case.

Copies are pasted into a shell, a console or a file, but the captured data is untrusted. So
that only the request itself runs, every argument is quoted for POSIX, a command is one line,
and no control character that a terminal would obey is left in.
"""

import json
import shlex
from collections.abc import Callable
from typing import NamedTuple

from corsproxy.config.editing.cases import case_text
from corsproxy.config.expectations import result_of
from corsproxy.core.fields import is_forbidden_request_header, is_token
from corsproxy.errors import CorsproxyError
from corsproxy.shell.admin.inspector.exchanges import Exchange, value_of
from corsproxy.shell.admin.inspector.ring import Row
from corsproxy.shell.admin.inspector.rows import asked_headers_of, page_method_of, url_of
from corsproxy.shell.admin.inspector.secrets import Redactor, text_of
from corsproxy.shell.admin.inspector.why import page_call_of

# Fields that curl writes itself, or that belong to the connection.
_CURLS_OWN = frozenset(
    {b"host", b"content-length", b"connection", b"keep-alive", b"transfer-encoding", b"te",
     b"trailer", b"proxy-connection", b"expect"}
)  # fmt: skip


class Rules(NamedTuple):
    """What `corsproxy explain` has to be told about the allowlist."""

    file: str | None = None
    upstream: str = ""
    """Without a file: the upstream given on the command line."""


RULES = Rules()


def as_curl(row: Row, redactor: Redactor, rules: Rules = RULES) -> str:
    """Return the request as a command for a POSIX shell, on one line."""
    exchange = row.main
    request = exchange.request
    words = ["curl", "-i", "--globoff", "--path-as-is", "--compressed"]
    if request.method == "HEAD":
        words.append("--head")
    else:
        words += ["--request", quoted(request.method)]
    words.append(quoted(_printable(redactor.target(url_of(exchange)))))
    for name, value in redactor.fields(request.fields):
        if name.lower() not in _CURLS_OWN:
            words += ["--header", quoted(_header(name, value))]
    fed, option = _body(exchange, redactor)
    return fed + " ".join(words + option)


def _header(name: bytes, value: bytes) -> str:
    text = _printable(value)
    # curl takes `name:` as "do not send it"; `name;` sends it empty.
    return f"{name.decode('ascii', 'replace')}: {text}" if text else f"{name.decode('ascii')};"


def _body(exchange: Exchange, redactor: Redactor) -> tuple[str, list[str]]:
    """Return the command that feeds curl's standard input, and curl's option for it."""
    content = _shown(exchange, redactor)
    if not content:
        return "", []
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if text and text.isprintable():
        return "", ["--data-raw", quoted(text)]
    return f"printf %b {quoted(_escaped(content))} | ", ["--data-binary", "@-"]


def _shown(exchange: Exchange, redactor: Redactor) -> bytes:
    body = exchange.request_body
    if not body.kept or value_of(exchange.request.fields, b"content-encoding") is not None:
        return body.kept
    content_type = text_of(exchange.value(b"content-type") or b"").lower()
    return redactor.body(body.kept, content_type)


def _escaped(content: bytes) -> str:
    """Return bytes as an argument for `printf %b`, in printable ASCII."""
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte != 0x5C else f"\\0{byte:03o}" for byte in content
    )


def quoted(text: str) -> str:
    """Quote any text as one word of a POSIX shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def _printable(value: bytes) -> str:
    """Return a field value or a URL as text without control characters."""
    return "".join(each if each.isprintable() else "?" for each in text_of(value))


def as_fetch(row: Row, redactor: Redactor, rules: Rules = RULES) -> str:
    """Return the call as a script would make it."""
    exchange = row.main
    headers: dict[str, str] = {}
    for name, value in redactor.fields(exchange.request.fields):
        if _is_scripts(name):
            headers[name.decode("ascii").lower()] = _printable(value)
    options: dict[str, object] = {"method": page_method_of(row)}
    if headers:
        options["headers"] = headers
    if exchange.value(b"cookie") is not None:
        options["credentials"] = "include"
    content = _shown(exchange, redactor)
    if content:
        options["body"] = text_of(content)
    url = json.dumps(text_of(redactor.target(url_of(exchange))))
    return f"await fetch({url}, {json.dumps(options, indent=2)})"


_BROWSERS_OWN = frozenset(
    {b"user-agent", b"accept-language", b"accept", b"cache-control", b"pragma"}
)


def _is_scripts(name: bytes) -> bool:
    lower = name.lower()
    if lower in _BROWSERS_OWN or lower in _CURLS_OWN or not is_token(name):
        return False
    return not is_forbidden_request_header(lower) and not lower.startswith(b"sec-")


def as_explain(row: Row, redactor: Redactor, rules: Rules = RULES) -> str:
    """Return the command that explains the decision."""
    exchange = row.main
    words = ["corsproxy", "explain"]
    words += ["-c", rules.file] if rules.file else []
    words += ["--origin", text_of(exchange.value(b"origin") or b"http://localhost")]
    method = page_method_of(row)
    if method != "GET":
        words += ["--method", method]
    for name in asked_headers_of(row):
        words += ["--header", name]
    if exchange.value(b"cookie") is not None:
        words.append("--credentials")
    words.append("--")
    words += [rules.upstream] if rules.upstream and not rules.file else []
    words.append(text_of(redactor.target(exchange.request.target)))
    return " ".join(shlex.quote(_printable(word.encode("utf-8"))) for word in words)


def as_test_case(row: Row, redactor: Redactor, rules: Rules = RULES) -> str:
    """Return the call as a case of `corsproxy.test.yaml`, as `explain --save-case` writes it.

    Raises NotCopiedError for a request without Origin: a case needs one.
    """
    call, verdict = page_call_of(row), row.main.verdict
    if call is None or verdict is None:
        raise NotCopiedError("A test case needs an Origin, and this request has none.")
    target = text_of(redactor.target(row.main.request.target))
    result = result_of(verdict)
    expected = verdict.code if result == "refused" else result
    return f"- {case_text(call._replace(target=target), None, expected)}\n"


class NotCopiedError(CorsproxyError):
    """The call cannot be copied in that form. The message says why."""


Copy = Callable[[Row, Redactor, Rules], str]

COPIES: dict[str, Copy] = {
    "curl": as_curl,
    "fetch": as_fetch,
    "explain": as_explain,
    "test": as_test_case,
}
"""By the names that the page uses."""
