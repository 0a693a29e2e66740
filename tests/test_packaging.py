"""The wheel and the source archive, and their metadata."""

import ast
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from email.message import Message
from email.parser import HeaderParser
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import NamedTuple

import pytest
from hatchling.builders.wheel import WheelBuilder

from corsproxy import __version__
from tests.process import environment

PROJECT = Path(__file__).resolve().parent.parent
PACKAGE = PROJECT / "corsproxy"


class Archives(NamedTuple):
    """The two files of a release."""

    wheel: Path
    source: Path


def built(directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Build both archives as an installer would, and return what that said."""
    return subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--directory", str(directory)],
        cwd=PROJECT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Archives:
    directory = tmp_path_factory.mktemp("dist")
    built(directory, CORSPROXY_COMPILE="0").check_returncode()
    return Archives(next(directory.glob("*.whl")), next(directory.glob("*.tar.gz")))


@pytest.fixture(scope="module")
def metadata(archives: Archives) -> Message:
    with zipfile.ZipFile(archives.wheel) as wheel:
        name = f"corsproxy-{__version__}.dist-info/METADATA"
        return HeaderParser().parsestr(wheel.read(name).decode())


@pytest.fixture(scope="module")
def unpacked(archives: Archives, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as pip would place it, beside nothing of this repository."""
    directory = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(archives.wheel) as wheel:
        wheel.extractall(directory)
    return directory


def installed(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command from an unpacked wheel."""
    return subprocess.run(
        [sys.executable, "-m", "corsproxy", *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def distribution_names(requirements: Iterable[str]) -> set[str]:
    """Names of the distributions that these requirements ask for."""
    return {re.split(r"[^\w.-]", line)[0].lower().replace("_", "-") for line in requirements}


def test_the_wheel_holds_the_package_and_nothing_else(archives: Archives) -> None:
    on_disk = {
        path.relative_to(PROJECT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(archives.wheel) as wheel:
        packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    manual = {name for name in packed if name.endswith(".data/data/share/man/man1/corsproxy.1")}
    assert len(manual) == 1
    assert packed - manual == on_disk
    assert "corsproxy/py.typed" in packed


def test_the_source_archive_can_be_tested_where_it_is_unpacked(archives: Archives) -> None:
    with tarfile.open(archives.source) as source:
        names = {name.partition("/")[2] for name in source.getnames()}
    assert {
        "Dockerfile",
        "LICENSE",
        "Makefile",
        "README.md",
        "config.example.yaml",
        "deploy/compose.yaml",
        "hatch_build.py",
        "pyproject.toml",
        "scripts/find-python",
        "tests/test_packaging.py",
    } <= names


def test_the_metadata_is_complete(metadata: Message) -> None:
    assert metadata["Name"] == "corsproxy"
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "MIT"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])


def test_the_command_runs_from_the_wheel_alone(unpacked: Path) -> None:
    ran = installed(unpacked, "--version")
    assert (ran.returncode, ran.stdout) == (0, f"corsproxy {__version__} (pure Python)\n")
    script = (unpacked / f"corsproxy-{__version__}.dist-info/entry_points.txt").read_text()
    assert "corsproxy = corsproxy.__main__:main" in script


def test_a_first_configuration_passes_its_own_check(unpacked: Path) -> None:
    """Files that a command needs, such as a template, are in the wheel too."""
    assert installed(unpacked, "init").returncode == 0
    checked = installed(unpacked, "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_it_is_pure_python_unless_asked_for_otherwise(tmp_path: Path) -> None:
    built(tmp_path).check_returncode()
    assert [wheel.name for wheel in tmp_path.glob("*.whl")] == [
        f"corsproxy-{__version__}-py3-none-any.whl"
    ]


@pytest.mark.parametrize(
    ("compiler", "reason"),
    [
        ("/bin/false", "/bin/false cannot include Python.h"),
        ("no-such-compiler -pipe", "there is no C compiler (no-such-compiler)"),
    ],
)
def test_a_failed_compilation_fails_the_build(tmp_path: Path, compiler: str, reason: str) -> None:
    build = built(tmp_path, CC=compiler, CORSPROXY_COMPILE="1")
    assert build.returncode != 0
    assert f"corsproxy cannot be compiled: {reason}" in build.stderr
    assert list(tmp_path.glob("*.whl")) == []


def test_an_invalid_compile_variable_is_refused(tmp_path: Path) -> None:
    build = built(tmp_path, CORSPROXY_COMPILE="no")
    assert build.returncode != 0
    assert "CORSPROXY_COMPILE must be 0 or 1, not 'no'" in build.stderr


@pytest.mark.parametrize("variables", [{"CORSPROXY_COMPILE": "0"}, {"CORSPROXY_COMPILE": ""}])
def test_an_uncompiled_build_needs_no_compiler(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert WheelBuilder(str(PROJECT)).config.dependencies == []


def test_an_editable_installation_runs_its_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORSPROXY_COMPILE", "1")
    hook = WheelBuilder(str(PROJECT)).get_build_hooks(str(tmp_path))["custom"]
    nothing: dict[str, object] = {}
    hook.initialize("editable", nothing)
    assert nothing == {}


def run_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a module without those that only a type checker sees."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=at_run_time):
                for other in at_run_time:
                    yield other
                    yield from run_nodes(other)
            case _:
                yield node
                yield from run_nodes(node)


def imported_distributions(paths: Iterable[Path]) -> set[str]:
    """Names of the distributions whose modules these files import when they run."""
    imported: set[str] = set()
    for path in paths:
        for node in run_nodes(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Import(names=names):
                    imported |= {name.name.partition(".")[0] for name in names}
                case ast.ImportFrom(module=str(module)):
                    imported.add(module.partition(".")[0])
                case _:
                    pass
    # Types of aiohttp's public interface, which come with it.
    of_aiohttp = {"multidict", "yarl"}
    foreign = imported - set(sys.stdlib_module_names) - {"corsproxy"} - of_aiohttp
    providers = packages_distributions()
    return {providers[name][0].lower().replace("_", "-") for name in foreign}


def test_imports_match_the_requirements(metadata: Message) -> None:
    assert imported_distributions(PACKAGE.rglob("*.py")) == distribution_names(
        metadata.get_all("Requires-Dist", [])
    )


def test_a_compiling_build_requires_the_types_of_its_dependencies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installer builds in an environment that has nothing else."""
    monkeypatch.setenv("CORSPROXY_COMPILE", "1")
    hook = WheelBuilder(str(PROJECT)).get_build_hooks(str(tmp_path))["custom"]
    compiled = {path for pattern in hook.config["compile"] for path in PROJECT.glob(pattern)}
    assert imported_distributions(compiled) <= distribution_names(hook.dependencies())


def test_the_changelog_tells_of_this_version() -> None:
    headings = re.findall(
        r"^## \[([^]]+)\]", (PROJECT / "CHANGELOG.md").read_text(), flags=re.MULTILINE
    )
    assert headings, "Keep a Changelog: ## [1.2.3] - 2000-01-31"
    assert headings[0] in {__version__, "Unreleased"}
    assert __version__ in headings
