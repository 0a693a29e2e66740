"""The README and docs/ are correct: files are read, commands run, links followed."""

import json
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from corsproxy.cli.commands import COMMANDS
from corsproxy.config.expectations import read_expectations
from corsproxy.config.reader import read_policy
from corsproxy.core.to_client import BOUND_TO_THE_UPSTREAM
from corsproxy.shell.admin.inspector import exchanges, ring, undos
from tests.process import PROJECT, environment

README = PROJECT / "README.md"
PAGES = [README, *sorted((PROJECT / "docs").rglob("*.md"))]
PROSE = [page for page in PAGES if "reference" not in page.parts]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)|srcset=\"([^\"]+)\"|src=\"([^\"]+)\"")


def name_of(page: Path) -> str:
    return page.relative_to(PROJECT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in FENCE.findall(page.read_text("utf-8")) if kind == language]


def files(marks: str) -> list[tuple[str, str]]:
    """The YAML blocks of all pages that have a key which `marks` names."""
    return [
        (name_of(page), text)
        for page in PROSE
        for text in blocks(page, "yaml")
        if re.search(rf"(?m)^(?:{marks}):", text)
    ]


@pytest.mark.parametrize(("page", "text"), files("upstream|cors"))
def test_every_allowlist_is_read_without_problems(page: str, text: str) -> None:
    assert read_policy(text, page, {}, "/", day="2026-11-29").warnings == ()


@pytest.mark.parametrize(("page", "text"), files("cases"))
def test_every_file_of_expectations_is_read(page: str, text: str) -> None:
    assert read_expectations(text.encode(), page, {}).cases


def transcripts() -> list[tuple[str, str]]:
    """The commands of the README's console blocks, each with the output that it shows."""
    found = []
    for console in blocks(README, "console"):
        parts = re.split(r"(?m)^\$ corsproxy (.*)\n", console)[1:]
        found += list(zip(parts[::2], parts[1::2], strict=True))
    return found


@pytest.mark.parametrize(("arguments", "shown"), transcripts())
def test_every_command_says_what_is_shown(arguments: str, shown: str, tmp_path: Path) -> None:
    (tmp_path / "corsproxy.yaml").write_text(blocks(README, "yaml")[0], "utf-8")
    result = subprocess.run(
        [sys.executable, "-m", "corsproxy", *arguments.split()],
        cwd=tmp_path,
        env=environment(PYTHONIOENCODING="utf-8"),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=20,
    )
    beginning, ellipsis, _ = shown.partition("…\n")
    assert result.stderr == ""
    assert result.stdout.startswith(beginning)
    assert ellipsis or result.stdout == beginning


def command_lines() -> list[tuple[str, str]]:
    """Every `corsproxy …` of a shell block or of the text."""
    found: dict[tuple[str, str], None] = {}
    for page in PROSE:
        text = page.read_text("utf-8")
        for block in blocks(page, "sh"):
            for line in block.splitlines():
                if match := re.match(r"(?:docker run .* )?corsproxy(?= |$)(.*)", line):
                    found[name_of(page), match[1].partition("#")[0].strip()] = None
        for match in re.finditer(r"`corsproxy ([^`\n]*)`", text):
            found[name_of(page), match[1]] = None
    return list(found)


@pytest.mark.parametrize(("page", "line"), command_lines())
def test_every_command_and_flag_exists(page: str, line: str) -> None:
    words = shlex.split(line.replace("…", "x").partition(" > ")[0])
    name = words[0] if words and words[0] in COMMANDS else "serve"
    if words and name not in words and name == "serve":
        assert re.search(r"[.:]|^\d+$|^-", words[0]), f"{page} names no command: {line}"
    command = import_module(f"corsproxy.cli.{name}").command
    assert isinstance(command, click.Command)
    known = {option for parameter in command.params for option in parameter.opts}
    known |= {option for parameter in command.params for option in parameter.secondary_opts}
    flags = {word.partition("=")[0] for word in words if word.startswith("-") and word != "-"}
    assert flags - {"--help"} <= known


def anchors(page: Path) -> set[str]:
    """The fragments of a page's headings, as forges make them."""
    headings = re.findall(r"(?m)^#+ (.*)$", page.read_text("utf-8"))
    plain = [re.sub(r"[^\w\- ]", "", heading.lower().replace("`", "")) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for groups in LINK.findall(page.read_text("utf-8")):
        target = next(filter(None, groups))
        if target.startswith("https://"):
            continue
        path, _, fragment = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not fragment or fragment in anchors(file), target


def test_every_page_is_reached_from_the_first() -> None:
    reached, waiting = {README}, [README]
    while waiting:
        page = waiting.pop()
        for groups in LINK.findall(page.read_text("utf-8")):
            file = (page.parent / next(filter(None, groups)).partition("#")[0]).resolve()
            if file.suffix == ".md" and file.exists() and file not in reached:
                reached.add(file)
                waiting.append(file)
    assert set(PAGES) <= reached


def test_the_readme_is_short() -> None:
    assert len(README.read_text("utf-8").split()) <= 1200


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (PROJECT / "Makefile").read_text("utf-8")
    for target in re.findall(r"(?m)^make ([a-z]+)", "\n".join(blocks(README, "sh"))):
        assert f"\n{target}:" in makefile


def test_headers_that_the_readme_calls_dropped_are_dropped() -> None:
    sentence = README.read_text("utf-8").partition("more than this API are dropped: ")[2]
    named = {
        name.lower().encode()
        for name in re.findall(r"`([\w-]+)`", sentence.partition("and others")[0])
    }
    assert named
    assert named <= BOUND_TO_THE_UPSTREAM


WEB = PROJECT / "corsproxy/shell/admin/inspector/web"
INSPECTOR = PROJECT / "docs/inspector.md"


def test_the_filter_keys_are_those_of_the_inspector() -> None:
    script, page = (WEB / "filter.js").read_text("utf-8"), INSPECTOR.read_text("utf-8")
    keys, states = (
        re.findall(
            r"(?m)^  (\w+): \(row\)", script.partition(f"const {name} = {{")[2].split("};")[0]
        )
        for name in ("KEYS", "STATES")
    )
    table = dict(re.findall(r"(?m)^\| `(\w+):` \| .* \| `(\S+)` \|$", page))
    assert list(table) == [*keys, "is"]
    assert all(table[key].lstrip("-").startswith(f"{key}:") for key in table)
    states_line = page.partition("| `is:` |")[2].partition("\n")[0]
    assert re.findall(r"`(\w+)`", states_line) == states
    [outcomes] = re.findall(r"OUTCOMES = (\[.*\]);", script)
    assert re.findall(r"(?m)^\| `(\w+)` \| (?:gets|is|made)", page) == json.loads(outcomes)


def test_the_inspectors_keys_and_limits() -> None:
    keys = re.findall(r'(?m)^  \["(.*?)", "', (WEB / "help.js").read_text("utf-8"))
    page = INSPECTOR.read_text("utf-8")
    named = re.findall(r"`([^`]+)`", " ".join(re.findall(r"(?m)^\| (`.*) \| ", page)))
    assert {key for line in keys[: keys.index("esc") + 1] for key in line.split()} <= set(named)
    for limit, words in (
        (ring.MOST_EXCHANGES, "the last {}"),
        (ring.MOST_BODY_BYTES >> 20, "{} MiB"),
        (ring.MOST_HEAD_BYTES >> 20, "{} MiB"),
        (exchanges.MOST_OF_BODY >> 10, "its first {} KiB"),
        (exchanges.MOST_MESSAGES, "the last {}, of each"),
        (exchanges.MOST_OF_MESSAGE >> 10, "the first {} KiB"),
        (undos.MOST_KEPT, "up to {}."),
    ):
        assert words.format(limit) in page


def test_the_reference_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/make_reference.py", "--check"],
        cwd=PROJECT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"run scripts/make_reference.py\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.github-workflows", ".github/workflows/ci.yml"),
        ("vendor.github-workflows", ".github/workflows/release.yml"),
        ("vendor.github-actions", "action.yml"),
    ],
)
def test_files_for_other_programs_have_their_form(schema: str, file: str) -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, file]
    done = subprocess.run(check, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
