"""The rules that readers rely on, as tests.

`pyproject.toml` declares which layer may import which, and import-linter checks it; these tests
also show that the contracts detect a breach.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
PACKAGE = PROJECT / "corsproxy"
TESTS = PROJECT / "tests"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Modules without a test file of their own, each with the reason.
TESTED_ELSEWHERE = {
    "cli/admin_requests.py": "tests/cli/test_health.py and test_drain.py ask with it",
    "shell/admin/controls.py": "names of what the tests of application.py and lifecycle.py use",
    "__init__.py": "one name, imported on use; tests/aiohttp/test_policies.py uses it",
    "__main__.py": "a few lines; tests/test_packaging.py and tests/cli/test_ending.py run them",
    "core/source.py": "one line, which every test of a message reads",
    "errors.py": "one initialiser, which every test of a failing upstream uses",
    "shell/listener/client_exchange.py": "the seam; the tests of each way in are about it",
    "aiohttp/client.py": "tests/aiohttp/test_app.py speaks to it over sockets",
    "shell/system/compiling.py": "one decorator that does nothing where it is called",
    "shell/streams/upstream_timings.py": "four moments; feed/test_watching.py sees them filled in",
    "shell/streams/seams.py": "protocols; what implements each of them has its tests",
    "http1/request_message.py": "one initialiser, which the tests of both readers of heads use",
}
# Test files that cover no module of their own name, each with the reason.
TESTS_OF_MORE_THAN_ONE = {
    "aiohttp/test_content.py": "content through an embedded application, however much it is",
    "aiohttp/test_life.py": "what an embedded application holds on to, and lets go of",
    "aiohttp/test_mounted.py": "what a prefix changes, from policies to links and cookies",
    "aiohttp/test_websockets.py": "WebSockets from end to end, as bytes",
    "export/test_live.py": "live checks, of engines with planted faults",
    "export/test_on_engines.py": "every engine, run and compared with the proxy itself",
    "shell/test_through_the_proxy.py": "from server to pools, nothing played in between",
}

LONGEST_MODULE = 400
LONGEST_FUNCTION = 60

# A name that says nothing about its content collects everything.
EMPTY_WORDS = {"utils", "util", "helpers", "helper", "manager", "common", "misc", "handle_data"}
# RFC 9110 section 3.7 means by these the opposite of what most proxy code means.
AMBIGUOUS_WORDS = {"inbound", "outbound"}


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def functions(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def defined_names(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name) | ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                yield name
            case _:
                pass


def does_something(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether there is more than a docstring: the methods of a protocol have nothing else."""
    return not all(
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        for statement in function.body
    )


def mirrors(path: Path) -> list[Path]:
    """Where the tests of a module may be: in its mirror, or in that of the package around it.

    The packages right below `corsproxy` are rooms and too large for one file.
    """
    mirror = TESTS / path.parent.relative_to(PACKAGE)
    package = mirror.with_name(f"test_{mirror.name}.py")
    if path.name == "__init__.py":
        return [package]
    own = mirror / f"test_{path.name}"
    return [own] if mirror.parent in (TESTS, TESTS.parent) else [own, package]


@pytest.mark.parametrize("path", MODULES, ids=relative)
class TestEachModule:
    def test_has_a_docstring(self, path: Path) -> None:
        assert ast.get_docstring(tree(path)), "say what the module is and what it promises"

    def test_has_a_mirrored_test_file(self, path: Path) -> None:
        if relative(path) in TESTED_ELSEWHERE:
            return
        if any(does_something(function) for function in functions(tree(path))):
            assert any(place.is_file() for place in mirrors(path)), mirrors(path)

    def test_is_short(self, path: Path) -> None:
        lines = path.read_text(encoding="utf-8").count("\n")
        assert lines <= LONGEST_MODULE, "split it by noun"
        for function in functions(tree(path)):
            length = (function.end_lineno or function.lineno) - function.lineno + 1
            assert length <= LONGEST_FUNCTION, f"split {function.name} by verb"

    def test_names_mean_something(self, path: Path) -> None:
        for name in [path.stem, path.parent.name, *defined_names(tree(path))]:
            words = {name.lower(), *re.findall(r"[A-Z]?[a-z]+", name)}
            assert not {word.lower() for word in words} & (EMPTY_WORDS | AMBIGUOUS_WORDS), name

    def test_imports_by_full_names(self, path: Path) -> None:
        imports = [node for node in ast.walk(tree(path)) if isinstance(node, ast.ImportFrom)]
        assert all(node.level == 0 for node in imports)


def test_no_method_has_two_names() -> None:
    """Compiled, an alias is looked for among the module's names, when an object is made."""
    for path in MODULES:
        for each in ast.walk(tree(path)):
            if isinstance(each, ast.ClassDef):
                names = {node.name for node in each.body if isinstance(node, ast.FunctionDef)}
                aliases = [node.value for node in each.body if isinstance(node, ast.Assign)]
                found = {node.id for node in aliases if isinstance(node, ast.Name)}
                assert not names & found, (relative(path), each.name)


def test_every_test_file_has_its_module() -> None:
    """A test file that outlived its module, or is misspelt, covers nothing."""
    rooms = [path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()]
    for room in rooms:
        for test in (TESTS / room).rglob("test_*.py"):
            if test.relative_to(TESTS).as_posix() in TESTS_OF_MORE_THAN_ONE:
                continue
            name = test.name.removeprefix("test_")
            module = PACKAGE / test.relative_to(TESTS).with_name(name)
            rooms_and_data = (module, module.with_suffix(""), module.with_suffix(".json"))
            assert any(path.exists() for path in rooms_and_data), test.relative_to(PROJECT)


def test_exceptions_to_the_mirror_are_current() -> None:
    assert {name for name in TESTED_ELSEWHERE if not (PACKAGE / name).is_file()} == set()
    assert {name for name in TESTS_OF_MORE_THAN_ONE if not (TESTS / name).is_file()} == set()


# The direction of imports


def lint_imports(project: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [str(program), "--no-cache"], cwd=project, capture_output=True, text=True, check=False
    )


def test_imports_go_one_way() -> None:
    result = lint_imports(PROJECT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("core/cors.py", "import asyncio"),
        ("core/cors.py", "import time"),
        ("core/policy.py", "import os"),
        ("core/nowhere.py", "import this"),
        ("nowhere.py", "import this"),
        ("core/fields.py", "from corsproxy.core import decision"),
        ("config/reader.py", "import corsproxy.shell"),
        ("config/reader.py", "import socket"),
        ("shell/listener/server.py", "import corsproxy.cli"),
        ("shell/listener/server.py", "import corsproxy.demo"),
        ("shell/streams/tunnel.py", "import corsproxy.shell.listener"),
        ("http1/chunked.py", "import corsproxy.shell"),
        ("http1/chunked.py", "import socket"),
        ("errors.py", "import corsproxy.core"),
    ],
)
def test_a_breach_of_the_direction_is_noticed(tmp_path: Path, module: str, line: str) -> None:
    shutil.copytree(PACKAGE, tmp_path / "corsproxy", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    with (tmp_path / "corsproxy" / module).open("a") as source:
        source.write(f"\n{line}\n")
    result = lint_imports(tmp_path)
    assert result.returncode != 0
    assert "BROKEN" in result.stdout


# What a command loads


RUN_AND_TELL = """
import sys
from corsproxy.cli.main import main
try:
    main()
except SystemExit:
    pass
loaded = {"aiohttp", "uvloop", "httptools", "prometheus_client"} & set(sys.modules)
print("loaded:", *sorted(loaded), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "command",
    [
        ["--version"],
        ["--help"],
        ["serve", "--help"],
        ["init"],
        ["check"],
        ["check", "--format", "json"],
        ["explain", "--origin", "http://localhost:5173", "/"],
        ["explain", "--json", "--origin", "https://evil.example", "/"],
        ["allow", "origin", "https://new.example.com", "--dry-run"],
        ["schema"],
        ["health", "http://127.0.0.1:9"],
        ["drain", "http://127.0.0.1:9"],
    ],
    ids=" ".join,
)
def test_only_serving_commands_load_the_server(tmp_path: Path, command: list[str]) -> None:
    """Loading aiohttp takes longer than everything else that these commands do."""
    if command != ["init"]:
        (tmp_path / "corsproxy.yaml").write_text(
            "upstream: https://api.example.com\ncors:\n  allow_origins: [http://localhost:5173]\n"
        )
    ran = subprocess.run(
        [sys.executable, "-c", RUN_AND_TELL, *command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.stderr.endswith("loaded:\n"), ran.stderr
    assert "Traceback" not in ran.stderr


# What the repository's files speak of


# A path of somebody's machine, and the hosts of package registries, mean nothing to a reader.
PRIVATE = re.compile(
    r"(?<!file://)/(?:home|Users|work|farm)/\w|pypi[.]org|python[h]osted|registry[.]npm|deb[.]debian"
)


def repository_files() -> list[Path]:
    """What git tracks or would; in an unpacked source archive, everything."""
    git = shutil.which("git")
    found = [*PACKAGE.rglob("*"), *TESTS.rglob("*")]
    if git is not None and (PROJECT / ".git").exists():
        listing = subprocess.run(
            [git, "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
        )
        found = [PROJECT / name for name in listing.stdout.splitlines()]
    files = [path for path in found if path.is_file() and "__pycache__" not in path.parts]
    # Chance says anything in the bytes of a picture.
    return [path for path in files if path.suffix not in (".png", ".woff2")]


def mentions(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(PROJECT)}: {found[0]}"
        for path in repository_files()
        for found in pattern.finditer(path.read_bytes().decode("utf-8", "replace"))
    ]


def test_no_file_speaks_of_the_machine_it_was_written_on() -> None:
    assert mentions(PRIVATE) == []


def test_no_file_has_todo_marks() -> None:
    """An unfinished thing is finished, or is an issue; the marks of it do not stay in a file."""
    assert mentions(re.compile(r"\b(?:TO[D]O|FIX[M]E|X[X]X)\b")) == []
