"""Reporting problems in a file."""

import json
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.process import environment, finished

GOOD = "upstream: https://api.example.com\ncors:\n  allow_origins: [http://localhost:5173]\n"
BAD = "upstream: https://api.example.com\ncors:\n  allow_orgins: [http://localhost:5173]\n"
RISKY = 'upstream: https://api.example.com\nallowed_hosts: "*"\ncors:\n  allow_origins: ["*"]\n'


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, text in (("good", GOOD), ("bad", BAD), ("risky", RISKY)):
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


async def test_a_clean_file(directory: Path) -> None:
    result = await finished("check", "good.yaml", cwd=directory)
    assert result == (0, "good.yaml: no problems\n", "")


async def test_a_problem_has_its_line_and_its_fix(directory: Path) -> None:
    code, out, err = await finished("check", "bad.yaml", cwd=directory)
    assert (code, err) == (1, "")
    assert "--> bad.yaml:3:3" in out
    assert "allow_origins" in out
    assert "bad.yaml: " in out.splitlines()[-1]
    assert "\x1b" not in out


async def test_warnings_fail_only_with_strict(directory: Path) -> None:
    code, out, _ = await finished("check", "risky.yaml", cwd=directory)
    assert code == 0
    assert "warning" in out
    assert (await finished("check", "risky.yaml", "--strict", cwd=directory))[0] == 1
    strict = {"CORSPROXY_STRICT": "1"}
    assert (await finished("check", "risky.yaml", cwd=directory, env=strict))[0] == 1


async def test_json_is_a_list_of_problems(directory: Path) -> None:
    code, out, _ = await finished("check", "--format", "json", "bad.yaml", cwd=directory)
    assert code == 1
    first = json.loads(out)[0]
    assert (first["file"], first["line"], first["severity"]) == ("bad.yaml", 3, "error")
    code, out, _ = await finished("check", "--format", "json", "good.yaml", cwd=directory)
    assert (code, json.loads(out)) == (0, [])


async def test_github_annotates_the_line(directory: Path) -> None:
    code, out, _ = await finished("check", "--format", "github", "bad.yaml", cwd=directory)
    assert code == 1
    assert out.startswith("::error file=bad.yaml,line=3,col=3,")


async def test_several_files_are_all_checked(directory: Path) -> None:
    code, out, _ = await finished("check", "good.yaml", "bad.yaml", cwd=directory)
    assert code == 1
    assert "good.yaml: no problems" in out
    assert "bad.yaml:3:3" in out
    code, out, err = await finished("check", "no.yaml", "none.yaml", "bad.yaml", cwd=directory)
    assert code == 2
    assert [line.partition(":")[2] for line in err.splitlines()] == [
        " cannot read no.yaml: no such file or directory",
        " cannot read none.yaml: no such file or directory",
    ]
    assert "bad.yaml:3:3" in out


async def test_the_file_may_be_given_with_the_config_flag(directory: Path) -> None:
    assert (await finished("check", "-c", "bad.yaml", cwd=directory))[0] == 1
    code, out, _ = await finished("check", "good.yaml", "-c", "bad.yaml", cwd=directory)
    assert code == 1
    assert "good.yaml: no problems" in out
    variable = {"CORSPROXY_CONFIG": "bad.yaml"}
    assert (await finished("check", cwd=directory, env=variable))[0] == 1
    assert (await finished("check", "good.yaml", cwd=directory, env=variable))[0] == 0


async def test_standard_input(directory: Path) -> None:
    code, out, _ = await finished("check", "-", given=BAD.encode())
    assert code == 1
    assert "--> <stdin>:3:3" in out


async def test_colours_can_be_forced_and_forbidden(directory: Path) -> None:
    _, out, _ = await finished("check", "bad.yaml", cwd=directory, env={"FORCE_COLOR": "1"})
    assert "\x1b[" in out
    both = {"FORCE_COLOR": "1", "NO_COLOR": "1"}
    _, out, _ = await finished("check", "bad.yaml", cwd=directory, env=both)
    assert "\x1b[" not in out


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("missing.yaml", None, 2),
        (".", None, 2),
        ("latin1.yaml", b"upstream: caf\xe9", 1),
        ("utf16.yaml", "upstream: x".encode("utf-16"), 1),
        ("empty.yaml", b"", 1),
        ("nul.yaml", b"\0", 1),
        ("list.yaml", b"- a", 1),
        ("tab.yaml", b"cors:\n\tallow_origins: []", 1),
        ("huge.yaml", b"#" * (2 * 1024 * 1024), 1),
        ("deep.yaml", b"[" * 100_000, 1),
    ],
)
async def test_no_file_causes_a_traceback(
    tmp_path: Path, name: str, content: bytes | None, code: int
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    found, out, err = await finished("check", name, cwd=tmp_path)
    assert found == code
    assert "Traceback" not in err
    assert out or err


async def test_without_a_name_it_is_the_file_here(directory: Path) -> None:
    code, _, err = await finished("check", cwd=directory)
    assert code == 2
    assert "corsproxy init" in err
    (directory / "good.yaml").rename(directory / "corsproxy.yaml")
    assert (await finished("check", cwd=directory))[0] == 0


@pytest.mark.parametrize("flags", [(), ("--fix",)])
@pytest.mark.parametrize(
    ("tls", "column", "key"),
    [
        ("ca_file: nope.pem", 20, "ca_file"),
        ("ca_file: garbage.pem", 20, "ca_file"),
        ("cert_file: garbage.pem, key_file: garbage.pem", 22, "cert_file"),
    ],
)
async def test_a_tls_file_that_cannot_be_used_is_found(
    tmp_path: Path, tls: str, column: int, key: str, flags: tuple[str, ...]
) -> None:
    (tmp_path / "garbage.pem").write_text("not PEM\n")
    (tmp_path / "c.yaml").write_text(
        "routes:\n"
        "  - path: /\n"
        "    upstream: https://localhost:8443\n"
        f"    tls: {{{tls}}}\n"
        "cors: {allow_origins: [http://localhost:5173], max_age: never}\n"
    )
    code, out, err = await finished("check", *flags, "c.yaml", cwd=tmp_path)
    assert (code, err) == (1, "")
    assert f"--> c.yaml:4:{column}\n" in out
    assert f"`routes[0].tls.{key}`: {tmp_path}/" in out
    assert "write the path of a PEM file" in out
    assert "--> c.yaml:5:57\n" in out


FIXABLE = "upstream: https://api.example.com\ncors:\n  origins: [https://App.test/]  # ours\n"
FIXED = "upstream: https://api.example.com\ncors:\n  allow_origins: [https://app.test]  # ours\n"


async def test_fix_corrects_unambiguous_mistakes(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(FIXABLE)
    code, out, err = await finished("check", "--fix", "c.yaml", cwd=tmp_path)
    assert (code, err) == (0, "")
    assert out == (
        "--- a/c.yaml\n+++ b/c.yaml\n@@ -1,3 +1,3 @@\n upstream: https://api.example.com\n cors:\n"
        "-  origins: [https://App.test/]  # ours\n+  allow_origins: [https://app.test]  # ours\n"
        "c.yaml: no problems\n"
    )
    assert (tmp_path / "c.yaml").read_text() == FIXED


async def test_fix_reports_the_rest(directory: Path) -> None:
    code, out, _ = await finished("check", "--fix", "bad.yaml", cwd=directory)
    assert code == 1
    assert "unknown key `allow_orgins`" in out
    assert (directory / "bad.yaml").read_text() == BAD


async def test_machine_formats_contain_only_problems(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(FIXABLE)
    code, out, err = await finished("check", "--fix", "--format", "json", "c.yaml", cwd=tmp_path)
    assert (code, json.loads(out)) == (0, [])
    assert "+  allow_origins: [https://app.test]" in err


async def test_an_unwritable_file_is_reported_and_unchanged(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(FIXABLE)
    (tmp_path / "c.yaml").chmod(0o444)
    code, out, err = await finished("check", "--fix", "c.yaml", cwd=tmp_path)
    assert code == 1
    assert "+  allow_origins: [https://app.test]" in out
    assert "c.yaml was left as it is: it is read-only" in err
    assert (tmp_path / "c.yaml").read_text() == FIXABLE


async def test_standard_input_cannot_be_corrected(directory: Path) -> None:
    code, _, err = await finished("check", "--fix", "-", cwd=directory, given=FIXABLE.encode())
    assert code == 2
    assert "--fix cannot write to standard input" in err


def test_standard_input_that_is_closed_or_endless_is_refused(directory: Path) -> None:
    shell = [sys.executable, "-m", "corsproxy", "check", "-"]
    closed = f"exec {shlex.join(shell)} <&-"
    ended = subprocess.run(
        ["sh", "-c", closed], cwd=directory, env=environment(), capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert ended.stderr == "corsproxy: cannot read standard input: it is closed\n"
    with open("/dev/zero", "rb") as endless:
        refused = subprocess.run(shell, env=environment(), stdin=endless, capture_output=True)
    assert refused.returncode == 1


DATED = GOOD.replace("5173]", "5173, {origin: https://a.example, until: 2020-01-31}]")


async def test_an_expired_entry_fails_the_check_though_it_can_be_served(tmp_path: Path) -> None:
    (tmp_path / "corsproxy.yaml").write_text(DATED)
    code, out, _ = await finished("check", cwd=tmp_path)
    assert code == 1
    assert "`https://a.example` expired after 2020-01-31" in out
    assert "corsproxy.yaml: 1 error" in out
    (tmp_path / "corsproxy.yaml").write_text(DATED + "unknown: key\n")
    _, out, _ = await finished("check", cwd=tmp_path)
    assert "corsproxy.yaml: 2 errors\n" in out


async def test_entries_can_be_required_to_have_a_last_day(tmp_path: Path) -> None:
    text = DATED.replace("2020-01-31", "2099-01-31").replace("3}", "3}, https://b.example")
    (tmp_path / "corsproxy.yaml").write_text(text.replace("31}]", "31}, https://b.example]"))
    assert (await finished("check", cwd=tmp_path))[0] == 0
    arguments = ("check", "--require-until", "--format", "json")
    code, out, _ = await finished(*arguments, cwd=tmp_path)
    [problem] = json.loads(out)
    assert code == 1
    assert (problem["code"], problem["line"]) == ("until-missing", 3)
    assert "https://b.example" in problem["message"]


async def test_the_last_day_that_is_proposed_lies_ahead_and_the_reason_stays(
    tmp_path: Path,
) -> None:
    text = DATED.replace("until: 2020-01-31", "reason: demo")
    (tmp_path / "corsproxy.yaml").write_text(text)
    _, out, _ = await finished("check", "--require-until", "--format", "json", cwd=tmp_path)
    [problem] = json.loads(out)
    found = re.search(r"`(\{.* until: (\S+), reason: demo\})`", problem["help"])
    assert found is not None
    assert found[2] > datetime.now(UTC).date().isoformat()
    (tmp_path / "corsproxy.yaml").write_text(re.sub(r"\{origin.*\}", found[1], text))
    assert await finished("check", "--strict", "--require-until", cwd=tmp_path) == (
        0,
        "corsproxy.yaml: no problems\n",
        "",
    )
