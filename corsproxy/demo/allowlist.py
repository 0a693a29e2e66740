"""The demo's allowlist: the text that the proxy runs, and the three edits that it offers.

The reader, the explanations and the edits are the real ones. Only the file is missing, because
a demo leaves nothing behind.
"""

from collections.abc import Callable, Mapping
from difflib import ndiff

from corsproxy.config.editing.edits import File, allow
from corsproxy.core.explain.explanation import explain
from corsproxy.core.page_call import PageCall
from corsproxy.core.policy import Policy
from corsproxy.shell.feed.clock import utc_day

NAME = "corsproxy.yaml"
TEXT = """\
# Who may call the shop's API, and how.
upstream: {api}

cors:
  allow_origins:
    - {page}  # this page
  allow_methods: [GET, POST, PUT, PATCH]
  allow_headers: [content-type, x-currency]
  expose_headers: [x-total-count]
  allow_credentials: true
  max_age: 0  # so that edits show at once
"""


def refused_calls(page: str, elsewhere: str) -> dict[str, PageCall]:
    """Return the calls of two pages that the text refuses, by the first one's ids for them."""
    return {
        "method": PageCall(page, "/api/cart/1", "DELETE"),
        "header": PageCall(page, "/api/products", headers=("x-debug",)),
        "origin": PageCall(elsewhere, "/api/products"),
    }


class DemoAllowlist:
    """The text in force."""

    def __init__(self, api: str, page: str, elsewhere: str) -> None:
        """The origins of the API, of the page that the text names, and of another page."""
        self._original = TEXT.format(api=api, page=page).encode()
        self._calls = refused_calls(page, elsewhere)
        self._followers: list[Callable[[Policy], None]] = []
        self._file = File(self._original, NAME, {}, "/", utc_day())
        self.policy = self._file.reading.policy
        """The policy of the text."""

    def on_change(self, follower: Callable[[Policy], None]) -> None:
        """Call `follower` with the policy of every later text."""
        self._followers.append(follower)

    def allow(self, call: str) -> None:
        """Make the edit that allows `call`. Raises KeyError if there is no such call."""
        self._put(self._edited(self._calls[call]))

    def reset(self) -> None:
        """Undo all edits."""
        self._put(self._original)

    def as_json(self) -> Mapping[str, object]:
        """Return the text, what has changed in it, and each refusal in words."""
        text = self._file.content.decode()
        original = self._original.decode().splitlines()
        lines = enumerate(text.splitlines(), 1)
        return {
            "name": NAME,
            "text": text,
            "edited": self._file.content != self._original,
            "changed": [number for number, line in lines if line not in original],
            "refusals": {name: self._explained(call) for name, call in self._calls.items()},
        }

    def _put(self, content: bytes) -> None:
        self._file = self._file.having(content)
        self.policy = self._file.reading.policy
        for follower in self._followers:
            follower(self.policy)

    def _edited(self, call: PageCall) -> bytes:
        remedy = explain(self.policy, call).remedy
        if remedy is None:  # it is allowed
            return self._file.content
        return allow(self._file, remedy.key, remedy.value).after

    def _explained(self, call: PageCall) -> Mapping[str, object]:
        explanation = explain(self.policy, call)
        remedy = explanation.remedy
        return {
            "command": None if remedy is None else remedy.command,
            "console": explanation.console,
            "steps": [
                {"passed": step.passed, "text": step.text, "at": step.at and str(step.at)}
                for step in explanation.steps[1:]  # the first is the route, the only one
            ],
            "diff": _diff(self._file.content, self._edited(call)),
        }


def _diff(before: bytes, after: bytes) -> list[dict[str, str]]:
    """Return the lines that differ, each with its sign."""
    lines = ndiff(before.decode().splitlines(), after.decode().splitlines())
    return [{"sign": line[0], "text": line[2:]} for line in lines if line[0] in "+-"]
