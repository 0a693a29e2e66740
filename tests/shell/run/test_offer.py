"""The edit offered for the last refusal: shown, confirmed, written or not."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from corsproxy.config.reader import read_policy
from corsproxy.core.advice.remedies import remedies_for
from corsproxy.core.decision import Forward, decide
from corsproxy.core.policy import Policy
from corsproxy.shell.feed.announcements import Announcer
from corsproxy.shell.feed.recent_refusals import Refusals
from corsproxy.shell.run.offer import Offer
from tests.policies import PAGE, policy_for_url, preflight, request

OTHER = "https://app.example.com"
TEXT = f"""\
upstream: https://api.example.com
cors:
  allow_origins: [{PAGE}]  # development
"""
QUESTION = "Write this to corsproxy.yaml? [y/N]\n"


class Person:
    """Somebody who presses the key, reads, and types."""

    def __init__(self, directory: Path, text: str | None) -> None:
        self.path = directory / "corsproxy.yaml"
        self.refusals = Refusals()
        self.seen = ""
        self.typed: list[str] = []
        """What is typed before the answer that `press` is given."""
        self.written = 0
        if text is None:
            self.policy = policy_for_url("https://api.example.com", ())
        else:
            self.path.write_text(text)
            self.policy = read_policy(text, "corsproxy.yaml", {}, str(directory)).policy
        name = None if text is None else "corsproxy.yaml"
        announcer = Announcer(self._see, "text", color=False)
        self.offer = Offer(name, self.refusals, announcer, self._written, self._adopt)

    def _see(self, line: str) -> None:
        self.seen += line

    async def _adopt(self, policy: Policy) -> None:
        self.policy = policy

    async def _written(self) -> None:
        self.written += 1

    def refused(
        self, *, origin: str = OTHER, method: bytes | None = None, headers: bytes = b""
    ) -> None:
        asked = request(origin=origin)
        if method:
            asked = preflight(method, headers or None, origin=PAGE)
        decision = decide(self.policy, asked)
        assert not isinstance(decision, Forward)
        remedies = remedies_for(decision.verdict, self.policy, method or b"", [headers])
        self.refusals.note(tuple(remedies), origin.encode())

    async def press(self, typed: str, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Press the key; `meanwhile` happens before the question is answered."""

        async def answer() -> str:
            meanwhile()
            return self.typed.pop(0) if self.typed else typed

        await self.offer.make(self.policy, answer)

    @property
    def text(self) -> str:
        return self.path.read_text()


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:
    monkeypatch.chdir(tmp_path)
    return Person(tmp_path, TEXT)


@pytest.mark.parametrize("typed", ["y", "yes"])
async def test_yes_writes_the_edit_that_was_shown(person: Person, typed: str) -> None:
    person.refused()
    await person.press(typed)
    edited = f"  allow_origins: [{PAGE}, {OTHER}]  # development\n"
    assert f"+{edited}" in person.seen
    assert person.seen.endswith(QUESTION)
    assert person.text == TEXT.replace(f"  allow_origins: [{PAGE}]  # development\n", edited)
    assert person.written == 1


@pytest.mark.parametrize("typed", ["", "n", "a", "yy", "q"])
async def test_any_other_answer_means_no(person: Person, typed: str) -> None:
    person.refused()
    await person.press(typed)
    assert person.seen.endswith(f"{QUESTION}Not written.\n")
    assert (person.text, person.written) == (TEXT, 0)


async def test_the_last_refusals_are_listed_with_who_asked(person: Person) -> None:
    person.refused()
    person.refused(method=b"PURGE")
    person.refused(origin="null")
    person.typed = ["1", "n"]
    await person.press("")
    assert f"1  method PURGE   asked for by {OTHER}\n" in person.seen
    assert f"2  origin {OTHER}   asked for by {OTHER}\n" in person.seen
    assert "PURGE]" in person.seen
    assert person.written == 0


@pytest.mark.parametrize("typed", ["", "0", "3", "x", "99999999999999999999"])
async def test_an_invalid_number_chooses_nothing(person: Person, typed: str) -> None:
    person.refused()
    person.refused(method=b"PURGE")
    await person.press(typed)
    assert person.seen.endswith("Nothing was changed.\n")
    assert person.text == TEXT


async def test_all_that_the_call_needs_is_one_edit(person: Person) -> None:
    person.refused(method=b"PURGE", headers=b"x-b")
    await person.press("y")
    assert person.written == 1
    policy = read_policy(person.text, "corsproxy.yaml", {}, "/").policy
    answer = decide(policy, preflight(b"PURGE", b"x-b", origin=PAGE))
    assert answer.verdict.allowed


async def test_a_long_list_fits_the_terminal(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    person.refused(origin=f"https://{'a' * 60}.{'b' * 60}.example")
    person.refused(method=b"PURGE", headers=b"x-a-header-with-a-name-of-its-own")
    await person.press("")
    listed, _, question = person.seen.partition("1 to 2 + enter")
    assert question
    assert max(map(len, listed.splitlines())) <= 80
    assert "1  method PURGE, header x-a-header-with-a-name-of-its-own\n" in listed


async def test_what_no_entry_allows_is_not_passed_over(person: Person) -> None:
    person.refused(origin="null")
    await person.press("y")
    last = "No entry can allow the call that was refused last, from null."
    assert person.seen == f"{last}\n"
    person.refused()
    person.refused(origin="null")
    person.seen = ""
    await person.press("n")
    assert person.seen.startswith(f"{last} Refused before it:\n")
    assert QUESTION in person.seen
    person.refused()
    person.seen = ""
    await person.press("n")
    assert last not in person.seen


async def test_without_a_refusal_there_is_nothing_to_allow(person: Person) -> None:
    await person.press("y")
    assert person.seen.startswith("Nothing to allow")
    assert (person.text, person.written) == (TEXT, 0)


async def test_an_already_allowed_call_is_reported(person: Person) -> None:
    person.refused()
    person.path.write_text(TEXT.replace(PAGE, OTHER))
    await person.press("y")
    assert person.seen == f"{OTHER}: allowed already (corsproxy.yaml:3:19)\n"


async def test_a_file_changed_meanwhile_is_left_alone(person: Person) -> None:
    person.refused()
    other = f"{TEXT}# somebody else\n"
    await person.press("y", meanwhile=lambda: person.path.write_text(other))
    assert "left as it is: it has been changed" in person.seen
    assert (person.text, person.written) == (other, 0)


ALIASED = f"""\
upstream: http://a.test
cors:
  allow_origins: &o [{PAGE}]
routes:
- {{path: /a, upstream: http://a.test, cors: {{allow_origins: *o}}}}
"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("upstream: [", "what is wrong with it is above"),
        (ALIASED, "it is written under the anchor `&o`"),
        (None, "there is no regular file"),
    ],
    ids=["broken", "an anchor", "gone"],
)
async def test_an_uneditable_file_is_left_with_the_reason(
    person: Person, text: str | None, reason: str
) -> None:
    person.refused()
    person.path.unlink()
    if text is not None:
        person.path.write_text(text)
    await person.press("y")
    assert "corsproxy.yaml was left as it is: " in person.seen
    assert reason in person.seen
    assert person.written == 0
    assert text is None or person.text == text


async def test_a_pipe_instead_of_the_file_does_not_block(person: Person) -> None:
    person.refused()
    person.path.unlink()
    os.mkfifo(person.path)
    async with asyncio.timeout(20):
        await person.press("y")
    assert "there is no regular file" in person.seen


async def test_a_read_only_file_is_left_with_the_diff(person: Person) -> None:
    person.refused()
    person.path.chmod(0o444)
    await person.press("y")
    assert "left as it is: it is read-only\n  make the change above by hand\n" in person.seen
    assert person.text == TEXT


async def test_a_risk_is_warned_of_before_the_question(person: Person) -> None:
    text = f"{TEXT}  allow_credentials: true\n"
    person.path.write_text(text)
    person.policy = read_policy(text, "corsproxy.yaml", {}, "/").policy
    person.refused(origin="http://app.example.com")
    await person.press("")
    warning = person.seen.index("warning: ")
    assert person.seen.index("+++ b/") < warning < person.seen.index(QUESTION)


async def test_one_at_a_time(person: Person) -> None:
    person.refused()
    typed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def answer() -> str:
        return await typed

    async def never() -> str:
        raise AssertionError("asked twice")

    first = asyncio.ensure_future(person.offer.make(person.policy, answer))
    await asyncio.sleep(0)
    await person.offer.make(person.policy, never)
    typed.set_result("y")
    await first
    assert person.written == 1


@pytest.mark.parametrize(("typed", "allowed"), [("y", True), ("", False)])
async def test_without_a_file_it_is_allowed_until_the_proxy_stops(
    tmp_path: Path, typed: str, allowed: bool
) -> None:
    person = Person(tmp_path, None)
    person.refused()
    await person.press(typed)
    assert person.seen.startswith(f"Allow origin {OTHER} until the proxy stops? [y/N]\n")
    origins = person.policy.default_cors.origins
    assert (origins.match(OTHER.encode()) is not None) == allowed
    decision = decide(person.policy, request(origin=OTHER))
    assert isinstance(decision, Forward) == allowed
