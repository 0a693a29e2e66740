"""The demo's allowlist: a text that the proxy runs, and the three edits that it invites.

The same reader, the same explanations and the same edits as everywhere else; only the
file is missing, because a demo leaves nothing behind.
"""

from collections.abc import Callable, Mapping
from difflib import SequenceMatcher
from typing import NamedTuple

from corsproxy.config.reader import read_policy
from corsproxy.core.explain import Question, explain
from corsproxy.core.policy import Policy
from corsproxy.demo.pages import Places

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


class Refusal(NamedTuple):
    """A call of the page's that the allowlist refuses, and the value that it lacks."""

    question: Question
    noun: str
    value: str

    @property
    def command(self) -> str:
        return f"corsproxy allow {self.noun} {self.value}"


def refusals(places: Places) -> dict[str, Refusal]:
    """Return the calls by the ids that the page has for them."""
    return {
        "method": Refusal(Question(places.page, "/api/cart/1", "DELETE"), "method", "DELETE"),
        "header": Refusal(
            Question(places.page, "/api/products", headers=("x-debug",)), "header", "x-debug"
        ),
        "origin": Refusal(Question(places.elsewhere, "/api/products"), "origin", places.elsewhere),
    }


class DemoAllowlist:
    """The text in force."""

    def __init__(self, places: Places) -> None:
        self._original = TEXT.format(api=places.api, page=places.page)
        self._text = self._original
        self._refusals = refusals(places)
        self._followers: list[Callable[[Policy], None]] = []

    @property
    def policy(self) -> Policy:
        """What the text says."""
        return _policy(self._text)

    def on_change(self, follower: Callable[[Policy], None]) -> None:
        """Call `follower` with the policy of every later text."""
        self._followers.append(follower)

    def allow(self, refusal: str) -> None:
        """Make the edit that allows `refusal`; KeyError where there is no such refusal."""
        self._put(_edited(self._text, self._refusals[refusal]))

    def reset(self) -> None:
        """Take every edit back."""
        self._put(self._original)

    def as_json(self) -> Mapping[str, object]:
        """Return the text, what has changed in it, and each refusal in words."""
        return {
            "name": NAME,
            "text": self._text,
            "edited": self._text != self._original,
            "changed": [
                number
                for number, line in enumerate(self._text.splitlines(), 1)
                if line not in self._original.splitlines()
            ],
            "refusals": {
                name: self._refusal_as_json(refusal) for name, refusal in self._refusals.items()
            },
        }

    def _put(self, text: str) -> None:
        self._text = text
        for follower in self._followers:
            follower(self.policy)

    def _refusal_as_json(self, refusal: Refusal) -> Mapping[str, object]:
        explanation = explain(self.policy, refusal.question)
        return {
            "command": refusal.command,
            "console": explanation.console,
            "steps": [
                {"passed": step.passed, "text": step.text, "at": step.at and str(step.at)}
                for step in explanation.steps[1:]  # the first is the route, the only one
            ],
            "diff": _diff(self._text, _edited(self._text, refusal)),
        }


def _policy(text: str) -> Policy:
    return read_policy(text, NAME, {}, "/").policy


def _diff(before: str, after: str) -> list[dict[str, str]]:
    """Return the lines that differ, each with its sign."""
    old, new = before.splitlines(), after.splitlines()
    found: list[dict[str, str]] = []
    for tag, first, last, start, end in SequenceMatcher(None, old, new).get_opcodes():
        if tag != "equal":
            found += [{"sign": "-", "text": line} for line in old[first:last]]
            found += [{"sign": "+", "text": line} for line in new[start:end]]
    return found


def _edited(text: str, refusal: Refusal) -> str:
    if refusal.noun == "origin":
        return text.replace("  allow_methods", f"    - {refusal.value}\n  allow_methods")
    lines = [
        line.replace("]", f", {refusal.value}]") if f"allow_{refusal.noun}s" in line else line
        for line in text.splitlines(keepends=True)
    ]
    return "".join(lines)
