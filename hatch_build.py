"""Compiles the hot path with mypyc, if the environment asks for it.

pyproject.toml lists the modules. With CORSPROXY_COMPILE=1 the wheel contains the compiled modules
beside their sources, and Python prefers them; if compiling fails, the build fails. Without it, or
with 0, the wheel is pure Python, which needs no compiler and takes seconds.

An editable installation is never compiled, because it would ignore later edits of the sources.
"""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VARIABLE = "CORSPROXY_COMPILE"
PACKAGE = "corsproxy"
RESULT = "compiled"

# Symbols are hidden and unused functions dropped, which makes the library smaller and lets calls
# within it bypass the PLT; calls to Python bypass it, too. The read-only parts share one segment.
LEAN = ("-fvisibility=hidden", "-ffunction-sections", "-fdata-sections", "-fno-plt")
LEAN_LINK = ("-Wl,--gc-sections", "-Wl,-z,noseparate-code")


class NotCompiledError(Exception):
    """Compiling failed; the message says why in one line."""


class CompilingHook(BuildHookInterface[BuilderConfig]):
    """Adds compiled modules to the wheel."""

    PLUGIN_NAME = "custom"

    _work: TemporaryDirectory[str] | None = None

    def dependencies(self) -> list[str]:
        """The packages needed to compile: mypyc, and those whose types the modules use."""
        if not _is_asked_for() or _obstacle():
            return []
        core = self.metadata.core
        # HTTP/2 is compiled, too; its library is in an extra.
        return [*self.config["compiler"], *core.dependencies, *core.optional_dependencies["https"]]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and tell the builder what the wheel contains and where it runs."""
        if version == "editable" or not _is_asked_for():
            return
        self._work = TemporaryDirectory(prefix="corsproxy-")
        try:
            compiled = _compile(Path(self.root), self._modules(), Path(self._work.name))
        except NotCompiledError as error:
            self.app.abort(f"corsproxy cannot be compiled: {error}")
            return
        build_data["force_include"][str(compiled)] = PACKAGE
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary files."""
        if self._work is not None:
            self._work.cleanup()

    def _modules(self) -> list[str]:
        """The files to compile, as pyproject.toml lists them."""
        root = Path(self.root)
        found = {path for pattern in self.config["compile"] for path in root.glob(pattern)}
        kept = {root / name for name in self.config["interpret"]}
        return [
            path.relative_to(root).as_posix()
            for path in sorted(found - kept)
            if path.name != "__init__.py"
        ]


def _is_asked_for() -> bool:
    """Whether the environment asks for compiled modules.

    Raises: ValueError for a value other than 0 and 1.
    """
    value = os.environ.get(VARIABLE, "")
    if value not in ("", "0", "1"):
        raise ValueError(f"{VARIABLE} must be 0 or 1, not {value!r}")
    return value == "1"


def _obstacle() -> str:
    """Why this machine cannot compile; empty if it can."""
    if sys.implementation.name != "cpython":
        return f"mypyc compiles for CPython, but this is {sys.implementation.name}"
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    if shutil.which(compiler[0]) is None:
        return f"there is no C compiler ({compiler[0]})"
    include = sysconfig.get_path("include")
    tried = subprocess.run(
        [*compiler, "-I", include, "-fsyntax-only", "-x", "c", "-"],
        input="#include <Python.h>\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode == 0:
        return ""
    said = next((line for line in tried.stderr.splitlines() if "error" in line), "")
    return f"{compiler[0]} cannot include Python.h {said}".rstrip()


def _compile(root: Path, modules: list[str], work: Path) -> Path:
    """Compile a copy of the package; return the directory with only the extension modules.

    Raises: NotCompiledError.
    """
    if obstacle := _obstacle():
        raise NotCompiledError(obstacle)
    if find_spec("mypyc") is None:
        raise NotCompiledError("mypyc is not installed")
    unwanted = shutil.ignore_patterns("__pycache__", "*.so")
    shutil.copytree(root / PACKAGE, work / PACKAGE, ignore=unwanted)
    done = subprocess.run(
        [sys.executable, __file__, *modules],
        cwd=work,
        # Otherwise sets would be written into the C code in random order.
        env={**os.environ, "PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.stderr.write(done.stdout)
        lines = [line for line in done.stdout.splitlines() if "error" in line] or ["mypyc failed"]
        raise NotCompiledError(lines[-1])
    return work / RESULT / PACKAGE


def _run_mypyc(modules: Iterable[str]) -> None:
    """Compile modules of the package in the working directory, into `compiled` beside it.

    The core's modules share a library, and so do the shell's. HTTP/2 has its own, which is loaded
    when a client first uses it. A single library would take longer to compile, because a compiler
    does not run in parallel; one for each directory would repeat the code that all of them need.
    """
    from mypyc.build import mypycify
    from setuptools import setup

    files = sorted(modules, key=lambda file: (_library(file), file))
    libraries: list[tuple[list[str], str | None]] = [
        (list(together), f"{PACKAGE}.{library}")
        for library, together in groupby(files, key=_library)
    ]
    # Ignore the user's mypy configuration, and allow dependencies without types.
    options = ["--config-file=", "--disable-error-code=import-untyped"]
    extensions = mypycify([*options, *files], separate=libraries, debug_level="0")
    lean, link = (LEAN, LEAN_LINK) if sys.platform == "linux" else ((), ())
    # All extensions share mypyc's list. The user's flags come last, so that they take precedence.
    flags = [*lean, *shlex.split(os.environ.get("CFLAGS", ""))]
    for extension in extensions:
        extension.extra_compile_args = [*extension.extra_compile_args, *flags]
        extension.extra_link_args = [*extension.extra_link_args, *link]
    jobs = str(os.cpu_count() or 1)
    command = ["build_ext", "--build-lib", RESULT, "--parallel", jobs]
    setup(name=PACKAGE, ext_modules=extensions, script_args=command)


def _library(file: str) -> str:
    return "http2" if "http2" in file else file.split("/")[1]


if __name__ == "__main__":
    _run_mypyc(sys.argv[1:])
