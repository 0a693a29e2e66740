"""A changed file becomes the policy, or changes nothing."""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from corsproxy.config.changes import Change
from corsproxy.config.problems import ConfigError, Problem
from corsproxy.config.reader import Reading, read_policy
from corsproxy.core.policy import ListenAddress, Policy
from corsproxy.core.source import Source
from corsproxy.errors import StartError
from corsproxy.shell.run import reload
from corsproxy.shell.run.reload import Reloader
from tests.peers import until
from tests.policies import policy, route, rules


def read(content: bytes) -> Reading:
    """A file format of our own: each line is an origin."""
    text = content.decode()
    if text == "crash":
        raise RecursionError
    if text == "no certificate":
        raise StartError("tls.ca_file /ca.pem cannot be used")
    if not text.startswith("http"):
        raise ConfigError([Problem("error", "broken", "broken", Source("corsproxy.yaml", 1, 1))])
    origins = [line for line in text.splitlines() if line.startswith("http")]
    made = policy(route(cors=rules(*origins)))
    for line in text.splitlines():
        if line.startswith("listen "):
            made = replace(made, listen=(ListenAddress("localhost", int(line[7:])),))
    warnings = [line for line in text.splitlines() if line.startswith("risky ")]
    return Reading(
        made,
        tuple(
            Problem("warning", "risky", line, Source("corsproxy.yaml", 1, 1)) for line in warnings
        ),
    )


class Watched:
    """A file with a reloader, and what it told."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "corsproxy.yaml"
        self.path.write_text("http://a.example")
        self.told: list[tuple[str, ...]] = []
        reading = read(self.path.read_bytes())
        self.policy = reading.policy
        self.reloader = Reloader(
            str(self.path),
            self.path.read_bytes(),
            reading,
            read=read,
            adopt=self.adopt,
            reports=self,
        )

    async def adopt(self, policy: Policy, content: bytes) -> None:
        self.policy = policy
        self.content = content

    def reloaded(self, file: str, changes: tuple[Change, ...]) -> None:
        self.told.append(("reloaded", *map(str, changes)))

    def refused(self, file: str, problems: tuple[Problem, ...]) -> None:
        self.told.append(("refused", *(problem.message for problem in problems)))

    def failed(self, file: str, reason: str) -> None:
        self.told.append(("failed", reason))

    def warned(self, problems: Sequence[Problem]) -> None:
        self.told += [("warned", problem.message) for problem in problems]

    @property
    def origins(self) -> list[str]:
        cors = self.policy.routes[0].cors
        assert not isinstance(cors, str)
        return [pattern.text for pattern in cors.origins.patterns]

    async def check(self, *, forced: bool = False) -> None:
        await self.reloader.check(forced=forced)


@pytest.fixture
async def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    monkeypatch.setattr(reload, "SETTLE_SECONDS", 0.005)
    watched = Watched(tmp_path)
    await watched.check()
    return watched


def overwrite(path: Path, text: str) -> None:
    path.write_text(text)


def rename_over(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text)
    temporary.replace(path)


def move_away_first(path: Path, text: str) -> None:
    path.rename(path.with_suffix(".bak"))
    path.write_text(text)


async def test_an_unchanged_file_reports_nothing(watched: Watched) -> None:
    for _ in range(3):
        await watched.check()
    watched.path.touch()
    await watched.check()
    assert watched.told == []
    assert watched.reloader.succeeded


@pytest.mark.parametrize("save", [overwrite, rename_over, move_away_first])
async def test_every_way_to_save_is_seen_again_and_again(
    watched: Watched, save: Callable[[Path, str], None]
) -> None:
    for number in range(4):
        save(watched.path, f"http://b{number}.example")
        await watched.check()
        assert watched.origins == [f"http://b{number}.example"]
    assert len(watched.told) == 4
    assert watched.told[0] == (
        "reloaded",
        "+ origin http://b0.example on route default",
        "- origin http://a.example on route default",
    )


async def test_the_swap_of_a_config_maps_link_is_seen_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "SETTLE_SECONDS", 0.005)

    def publish(number: int) -> None:
        version = tmp_path / f"..version_{number}"
        version.mkdir()
        (version / "corsproxy.yaml").write_text(f"http://v{number}.example")
        temporary = tmp_path / "..data_tmp"
        temporary.symlink_to(version.name)
        temporary.replace(tmp_path / "..data")

    publish(0)
    link = tmp_path / "corsproxy.yaml"
    link.symlink_to("..data/corsproxy.yaml")
    content = link.read_bytes()
    seen: list[bytes] = []

    async def adopt(policy: Policy, content: bytes) -> None:
        seen.append(content)

    reporter = Watched.__new__(Watched)
    reporter.told = []
    reloader = Reloader(str(link), content, read(content), read=read, adopt=adopt, reports=reporter)
    for number in range(1, 4):
        publish(number)
        await reloader.check()
    assert [told[1] for told in reporter.told] == [
        f"+ origin http://v{number}.example on route default" for number in range(1, 4)
    ]
    assert seen == [b"http://v%d.example" % number for number in range(1, 4)]


@pytest.mark.parametrize("save", [overwrite, rename_over])
async def test_an_edit_of_the_same_size_and_time_is_seen(
    watched: Watched, save: Callable[[Path, str], None]
) -> None:
    before = os.stat(watched.path)
    save(watched.path, "http://b.example")
    os.utime(watched.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    await watched.check()
    assert watched.origins == ["http://b.example"]


async def test_a_broken_file_keeps_the_policy_and_is_reported_once(watched: Watched) -> None:
    overwrite(watched.path, "broken")
    for _ in range(3):
        await watched.check()
    watched.path.touch()
    await watched.check()
    assert watched.told == [("refused", "broken")]
    assert watched.origins == ["http://a.example"]
    assert not watched.reloader.succeeded


async def test_a_repaired_file_is_adopted(watched: Watched) -> None:
    overwrite(watched.path, "broken")
    await watched.check()
    overwrite(watched.path, "http://a.example\nhttp://b.example")
    await watched.check()
    assert watched.told[1:] == [("reloaded", "+ origin http://b.example on route default")]
    assert watched.reloader.succeeded


async def test_taking_a_broken_edit_back_is_a_success(watched: Watched) -> None:
    for text in ("broken", "http://a.example"):
        overwrite(watched.path, text)
        await watched.check()
    assert watched.told == [("refused", "broken"), ("reloaded",)]
    assert watched.reloader.succeeded


async def test_a_file_that_names_unusable_files_keeps_the_policy(watched: Watched) -> None:
    overwrite(watched.path, "no certificate")
    await watched.check()
    assert watched.told == [("failed", "tls.ca_file /ca.pem cannot be used")]
    assert watched.origins == ["http://a.example"]


async def test_a_fault_of_ours_does_not_end_the_watch(watched: Watched) -> None:
    overwrite(watched.path, "crash")
    await watched.check()
    assert watched.told == [("failed", "a fault in the proxy: RecursionError()")]
    overwrite(watched.path, "http://b.example")
    await watched.check()
    assert watched.origins == ["http://b.example"]


async def test_a_missing_file_is_reported_once_and_not_for_an_editors_gap(
    watched: Watched,
) -> None:
    watched.path.unlink()
    await watched.check()
    assert watched.told == []
    for _ in range(3):
        await watched.check()
    assert watched.told == [("failed", "no such file or directory")]
    assert watched.origins == ["http://a.example"]
    assert not watched.reloader.succeeded
    overwrite(watched.path, "http://a.example")
    await watched.check()
    assert watched.told[1:] == [("reloaded",)]
    assert watched.reloader.succeeded


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
async def test_a_replacement_that_is_not_a_file_is_reported(
    watched: Watched, make: Callable[[Path], None]
) -> None:
    watched.path.unlink()
    make(watched.path)
    for _ in range(3):
        await watched.check()
    assert watched.told == [("failed", "not a regular file")]


async def test_force_reports_even_where_nothing_changed(watched: Watched) -> None:
    await watched.check(forced=True)
    assert watched.told == [("reloaded",)]


async def test_force_beside_the_watch_reports_a_broken_file_once(watched: Watched) -> None:
    """`r` right after saving, while the watch is reading what was saved."""
    overwrite(watched.path, "broken")
    await asyncio.gather(watched.check(), watched.check(forced=True))
    assert watched.told == [("refused", "broken")]


async def test_force_reports_a_missing_file_at_once(watched: Watched) -> None:
    watched.path.unlink()
    await watched.check(forced=True)
    assert watched.told == [("failed", "no such file or directory")]


async def test_a_new_listen_address_is_reported_with_every_reload_and_not_adopted(
    watched: Watched,
) -> None:
    overwrite(watched.path, "http://a.example\nlisten 9000")
    await watched.check()
    overwrite(watched.path, "http://b.example\nlisten 9000")
    await watched.check()
    assert [told[1] for told in watched.told] == [
        "~ listen localhost:9000 (was localhost:8010): takes effect at the next start"
    ] * 2
    assert str(watched.policy.listen[0]) == "localhost:8010"


async def test_only_new_warnings_are_reported(watched: Watched) -> None:
    for text in ("http://a.example\nrisky 1", "http://b.example\nrisky 1\nrisky 2"):
        overwrite(watched.path, text)
        await watched.check()
    assert [told for told in watched.told if told[0] == "warned"] == [
        ("warned", "risky 1"),
        ("warned", "risky 2"),
    ]


async def test_a_file_that_is_being_written_waits_for_its_end(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "SETTLE_SECONDS", 0.05)
    overwrite(watched.path, "")
    check = asyncio.create_task(watched.check())
    await asyncio.sleep(0)
    with watched.path.open("w") as file:
        file.write("http://")
        file.flush()
        await asyncio.sleep(0)
        file.write("b.example")
    await check
    await watched.check()
    assert ("refused", "broken") not in watched.told
    assert watched.origins == ["http://b.example"]


async def test_watching_sees_an_edit_by_itself(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "POLL_SECONDS", 0.01)
    watch = asyncio.create_task(watched.reloader.watch())
    overwrite(watched.path, "http://b.example")
    await until(lambda: watched.told != [])
    assert watched.origins == ["http://b.example"]
    watch.cancel()


DATED = b"""\
upstream: http://a.test
cors:
  allow_origins:
    - http://localhost:5173
    - {origin: https://pr-12.test, until: 2026-12-31}
"""


class Calendar(Watched):
    """A file with an entry that ends, read by its real reader on days of our choice."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.path.write_bytes(DATED)
        self.day = "2026-12-30"
        reading = self.read(DATED)
        self.policy = reading.policy
        self.reloader = Reloader(
            str(self.path),
            DATED,
            reading,
            read=self.read,
            adopt=self.adopt,
            reports=self,
            today=lambda: self.day,
        )

    def read(self, content: bytes) -> Reading:
        return read_policy(content, "corsproxy.yaml", {}, "/", day=self.day)


@pytest.fixture
async def calendar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calendar:
    monkeypatch.setattr(reload, "SETTLE_SECONDS", 0.005)
    calendar = Calendar(tmp_path)
    await calendar.check()
    return calendar


async def test_an_entry_ends_with_its_last_day_without_a_reload(calendar: Calendar) -> None:
    calendar.day = "2026-12-31"
    await calendar.check()
    assert len(calendar.origins) == 2
    assert [told[0] for told in calendar.told] == ["warned"]
    assert "today" in calendar.told[0][1]
    calendar.day = "2027-01-01"
    await calendar.check()
    assert calendar.origins == ["http://localhost:5173"]
    origin = "- origin https://pr-12.test until 2026-12-31 on route /"
    assert calendar.told[1] == ("reloaded", origin)
    assert "expired after 2026-12-31" in calendar.told[2][1]


async def test_an_expired_entry_is_warned_of_daily(calendar: Calendar) -> None:
    for day in ("2027-01-01", "2027-01-02", "2027-01-03"):
        calendar.day = day
        await calendar.check()
        await calendar.check()
    assert [told[0] for told in calendar.told] == ["reloaded", "warned", "warned", "warned"]


async def test_a_broken_file_does_not_keep_an_entry_alive(calendar: Calendar) -> None:
    calendar.path.write_text("upstream: [")
    await calendar.check()
    calendar.day = "2027-01-01"
    await calendar.check()
    assert calendar.origins == ["http://localhost:5173"]
    assert not calendar.reloader.succeeded
