"""What a running proxy reports besides exchanges."""

import json
import logging
from typing import Any

import pytest

from corsproxy.config.changes import Change
from corsproxy.config.problems import Problem
from corsproxy.core.source import Source
from corsproxy.shell.feed.announcements import Announcer, FaultLog, LineFormat, dropped_lines

PROBLEM = Problem(
    "error",
    "unknown-key",
    "unknown key `allow_orgins`",
    Source("corsproxy.yaml", 3, 3),
    12,
    "did you mean `allow_origins`?",
    "  allow_orgins:",
)
CHANGES = (
    Change("+", "origin https://a.example", "on route shop"),
    Change("-", "method PUT", "on route shop", narrows=True),
)


class Said:
    """An announcer and everything that it said."""

    def __init__(self, form: LineFormat) -> None:
        self.text = ""
        self.announcer = Announcer(self._write, form, color=False)

    def _write(self, line: str) -> None:
        assert line.endswith("\n")
        self.text += line

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def text() -> Said:
    return Said("text")


@pytest.fixture
def lines() -> Said:
    return Said("json")


def everything(announcer: Announcer) -> None:
    announcer.ready("banner", ["http://localhost:8010"], ["127.0.0.1:8010"], None)
    announcer.warned([PROBLEM])
    announcer.reloaded("corsproxy.yaml", CHANGES)
    announcer.refused("corsproxy.yaml", (PROBLEM,))
    announcer.failed("corsproxy.yaml", "no such file or directory")
    announcer.lame_duck(3)
    announcer.draining(2, 10.0)
    announcer.fault("it broke", "Traceback\n  line", 7)
    announcer.out_of_descriptors(1024)
    announcer.worker_ended(1, 4711, "signal SIGKILL", 0.5)
    announcer.worker_started(1, 4712)
    announcer.worker_hangs(0, 4713)
    announcer.about_certificate("the new certificate cannot be used")
    announcer.stopped()


def test_every_event_has_its_name_and_facts(lines: Said) -> None:
    everything(lines.announcer)
    found = lines.objects
    assert all(event.pop("ts").endswith("Z") for event in found)
    levels = {event["event"]: event.pop("level") for event in found}
    assert [name for name, level in levels.items() if level == "info"] == [
        "ready",
        "reloaded",
        "lame-duck",
        "draining",
        "worker-started",
        "certificate",
        "stopped",
    ]
    assert levels["warning"] == "warning"
    problem = found[1]
    assert problem.pop("event") == "warning"
    assert found[0] == {
        "event": "ready",
        "listen": ["http://localhost:8010"],
        "endpoints": ["127.0.0.1:8010"],
        "admin": None,
    }
    assert found[2:] == [
        {
            "event": "reloaded",
            "file": "corsproxy.yaml",
            "changes": ["+ origin https://a.example on route shop", "- method PUT on route shop"],
        },
        {"event": "reload-refused", "file": "corsproxy.yaml", "problems": [problem]},
        {
            "event": "reload-failed",
            "file": "corsproxy.yaml",
            "reason": "no such file or directory",
        },
        {"event": "lame-duck", "in_flight": 3},
        {"event": "draining", "in_flight": 2, "grace_s": 10.0},
        {"event": "fault", "message": "it broke", "trace": "Traceback\n  line", "untold": 7},
        {"event": "out-of-descriptors", "limit": 1024},
        {
            "event": "worker-ended",
            "worker": 1,
            "pid": 4711,
            "how": "signal SIGKILL",
            "restart_in_s": 0.5,
        },
        {"event": "worker-started", "worker": 1, "pid": 4712},
        {"event": "worker-hangs", "worker": 0, "pid": 4713},
        {"event": "certificate", "message": "the new certificate cannot be used"},
        {"event": "stopped"},
    ]


def test_text_is_for_people(text: Said) -> None:
    everything(text.announcer)
    assert "banner\n" in text.text
    assert (
        "corsproxy.yaml reloaded\n          + origin https://a.example on route shop" in text.text
    )
    assert "browsers may use an earlier preflight's answer" in text.text
    assert "3 |   allow_orgins:\n  |   ^^^^^^^^^^^^" in text.text
    assert "still using the previous policy" in text.text
    assert "stopping: 2 requests may take 10 s more" in text.text
    assert "worker 1 ended (signal SIGKILL); another starts in 0.5 s" in text.text
    assert "worker 1 is back" in text.text
    assert "worker 0 no longer answers" in text.text
    assert text.text.endswith("stopped\n")


def test_lines_that_were_lost_are_counted_in_the_form_of_the_others() -> None:
    assert dropped_lines("text")(3) == "3 lines were dropped\n"
    told = json.loads(dropped_lines("json")(3))
    assert (told["event"], told["count"]) == ("lines-dropped", 3)


def test_only_narrowing_changes_have_the_hint_about_caches(text: Said) -> None:
    text.announcer.reloaded("corsproxy.yaml", CHANGES[:1])
    assert "browsers" not in text.text


def test_a_reload_without_a_change_says_so(text: Said) -> None:
    text.announcer.reloaded("corsproxy.yaml", ())
    assert "reloaded, nothing changed" in text.text


def test_answers_to_keys_are_for_people_only(text: Said, lines: Said) -> None:
    for said in (text, lines):
        said.announcer.note("no file")
    assert (text.text, lines.text) == ("no file\n", "")


def test_clearing_is_for_terminals_only(lines: Said) -> None:
    lines.announcer.clear()
    assert lines.text == ""


def test_file_names_cannot_control_the_terminal(text: Said) -> None:
    text.announcer.failed("\x1b[2Jx.yaml", "a\nb")
    assert text.text.removesuffix("\n").isprintable()


def test_logged_faults_are_announced_with_their_trace(lines: Said) -> None:
    log = logging.Logger("test")
    log.addHandler(FaultLog(lines.announcer))
    try:
        raise ValueError("inner")
    except ValueError:
        log.exception("fault in %s", "an exchange")
    log.info("nothing of interest")
    (event,) = lines.objects
    assert event["message"] == "fault in an exchange"
    assert "ValueError: inner" in event["trace"]


def test_a_fault_that_repeats_itself_is_announced_once_a_second(lines: Said) -> None:
    faults = FaultLog(lines.announcer)
    for message, created in (
        ("one", 100.0),
        ("one", 100.2),
        ("one", 100.9),
        ("two", 100.9),
        ("one", 101.0),
        ("one", 101.5),
        ("one", 102.1),
    ):
        record = logging.LogRecord("test", logging.ERROR, "", 0, message, (), None)
        record.created = created
        faults.handle(record)
    told = [(event["message"], event.get("untold", 0)) for event in lines.objects]
    assert told == [("one", 0), ("two", 2), ("one", 0), ("one", 1)]
