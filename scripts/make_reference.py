"""Write the reference under docs/ from the program itself: keys, codes, commands, the man page.

    scripts/make_reference.py            writes the files
    scripts/make_reference.py --check    exits with 1 where one of them is out of date

The schema describes the keys, the table of verdicts the codes, and click the commands, so that
the pages cannot say anything else.
"""

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click

from corsproxy import __version__
from corsproxy.cli.main import COMMANDS, cli
from corsproxy.core.verdicts import FACTS, Code

PROJECT = Path(__file__).resolve().parent.parent
_MADE = "<!-- Made by scripts/make_reference.py. Edit what it is made from. -->\n"

Json = dict[str, object]


# Keys.


def keys() -> str:
    """Return the page of the file's keys."""
    schema: Json = json.loads((PROJECT / "corsproxy/config/schema.json").read_text("utf-8"))
    lines = [
        _MADE,
        "# Keys of the file",
        "",
        "`corsproxy schema` prints the JSON Schema that this page is made from.",
        "[`config.example.yaml`](../../config.example.yaml) has every key in its place.",
        "",
        "Values may hold `${NAME}`, `${NAME:-default}` and `${NAME:?message}`; `$$` is one dollar",
        "sign. Durations are `500ms`, `10s`, `5m` or `1h`; sizes are bytes, `64KiB` or `1MiB`.",
    ]
    for title, path in (
        ("At the top level", ""),
        ("A route", "route"),
        ("`cors`", "cors_rules"),
        ("An entry of `allow_origins`", "dated_origin"),
        ("`limits`", "limits"),
    ):
        found = schema if not path else _definition(schema, path)
        lines += ["", f"## {title}", "", "| key | meaning | default |", "|---|---|---|"]
        lines += _rows(found, schema, "")
    return "\n".join(lines) + "\n"


def _definition(schema: Json, name: str) -> Json:
    definitions = schema["definitions"]
    assert isinstance(definitions, dict)
    found = definitions[name]
    assert isinstance(found, dict)
    return found


def _rows(mapping: Json, schema: Json, prefix: str) -> Iterator[str]:
    properties = mapping.get("properties", {})
    assert isinstance(properties, dict)
    for key, value in properties.items():
        default = value.get("default")
        shown = "" if default is None else f"`{_yaml(default)}`"
        yield f"| `{prefix}{key}` | {_cell(str(value.get('description', '')))} | {shown} |"
        if value.get("type") == "object" and key not in ("limits",):
            yield from _rows(value, schema, f"{prefix}{key}.")


def _yaml(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    return json.dumps(value).strip('"')


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


# Codes.


def codes() -> str:
    """Return the page of the codes."""
    lines = [
        _MADE,
        "# Codes",
        "",
        "Each answer of the proxy's own has a code: in the log, in the `Corsproxy-Reason` field of",
        "a refusal (`origin-not-allowed; at=corsproxy.yaml:4:5`), in the JSON body of an error,",
        "and in what `corsproxy explain` prints. Codes are added, never renamed.",
        "",
        "A status of – means that the answer is the upstream's. The last column is Chromium's name",
        "for what the page meets (DevTools protocol, `Network.CorsError`).",
        "",
        "| code | status | meaning | in Chromium |",
        "|---|---|---|---|",
    ]
    for code in Code:
        facts = FACTS[code]
        error = f"`{facts.browser_error}`" if facts.browser_error else ""
        lines.append(f"| `{code}` | {facts.status or '–'} | {_cell(facts.title)} | {error} |")
    return "\n".join(lines) + "\n"


# Commands.


def commands() -> str:
    """Return the page of the commands."""
    lines = [
        _MADE,
        "# Commands",
        "",
        "Flags override the file. Each flag that names a variable can be set by it; what may be",
        "repeated is separated by spaces there.",
        "",
        "| exit code | means |",
        "|---|---|",
        "| 0 | success; also after SIGTERM or SIGINT, once drained |",
        "| 1 | problems found, or refused |",
        "| 2 | usage: a flag, or a file that is missing or cannot be read |",
        "| 3 | could not start: a port is taken, a TLS file cannot be used |",
        "| 78 | `serve` refuses the configuration |",
    ]
    for name, command in _commands():
        lines += ["", f"## corsproxy {name}", "", "```text", _help(name, command), "```"]
    return "\n".join(lines) + "\n"


def _commands() -> Iterator[tuple[str, click.Command]]:
    for name in COMMANDS:
        command = import_module(f"corsproxy.cli.{name}").command
        assert isinstance(command, click.Command)
        yield name, command


def _help(name: str, command: click.Command) -> str:
    with click.Context(command, info_name=f"corsproxy {name}", terminal_width=96) as context:
        lines = command.get_help(context).splitlines()
    return "\n".join(line.rstrip() for line in lines)


# The man page.


def manual() -> str:
    """Return corsproxy(1), in the macros of man(7)."""
    lines = [
        f'.TH CORSPROXY 1 "" "corsproxy {__version__}" "User Commands"',
        ".SH NAME",
        "corsproxy \\- add CORS to an API for the origins that an allowlist names",
        ".SH SYNOPSIS",
        ".B corsproxy",
        "[\\fICOMMAND\\fR] [\\fIARGUMENT\\fR]...",
        ".SH DESCRIPTION",
        *_paragraphs(cli.help or ""),
        ".SH COMMANDS",
    ]
    for name, command in _commands():
        lines += [f".SS {name}", *_paragraphs(command.help or ""), *_options(name, command)]
    lines += [
        ".SH FILES",
        ".TP",
        "\\fIcorsproxy.yaml\\fR",
        "The allowlist, in the working directory.",
        ".SH EXIT STATUS",
        "0 on success, 1 for findings or a refusal, 2 for a usage error, 3 where it cannot start,",
        "78 for a configuration that serve refuses.",
    ]
    return "\n".join(lines) + "\n"


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        # What click does not fill, man does not either.
        as_it_is = paragraph.lstrip().startswith("\b")
        lines = [line for line in paragraph.replace("\b", "").splitlines() if line.strip()]
        yield ".PP"
        yield from [".nf"] if as_it_is else []
        yield from (_roff(line.rstrip() if as_it_is else line.strip()) for line in lines)
        yield from [".fi"] if as_it_is else []


def _options(name: str, command: click.Command) -> Iterator[str]:
    with click.Context(command, info_name=f"corsproxy {name}") as context:
        for parameter in command.get_params(context):
            record = parameter.get_help_record(context)
            if record is not None:
                yield ".TP"
                yield f"\\fB{_roff(record[0])}\\fR"
                yield _roff(record[1])


def _roff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


PAGES = {
    "docs/reference/keys.md": keys,
    "docs/reference/codes.md": codes,
    "docs/reference/commands.md": commands,
    "docs/corsproxy.1": manual,
}


def main() -> int:
    """Write or check every page; return the exit code."""
    stale = []
    for name, page in PAGES.items():
        path, text = PROJECT / name, page()
        if not path.exists() or path.read_text("utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(text, "utf-8")
    for name in stale:
        print(f"{name}: {'out of date' if '--check' in sys.argv else 'written'}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
