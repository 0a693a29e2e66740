"""`corsproxy explain --save-case`: the call becomes a case of `corsproxy test`."""

import os

import click

from corsproxy.cli.failures import Exit, Failure, RefusedConfig, reason_of
from corsproxy.cli.files import read_bytes
from corsproxy.config.editing.cases import case_text, known_case, new_file, with_case
from corsproxy.config.editing.edits import File
from corsproxy.config.editing.splices import EditError
from corsproxy.config.expectations import Case, read_expectations, result_of
from corsproxy.config.problems import ConfigError, escape
from corsproxy.core.explain.explanation import Explanation
from corsproxy.core.verdicts import Verdict
from corsproxy.shell.system.saving import SaveError, save


def save_case(name: str, file: File, explanation: Explanation, at: str | None) -> None:
    """Add the call to a file of expectations, which is created if needed, unless it is there."""
    verdict = explanation.verdict
    result = result_of(verdict)
    case = case_text(explanation.call, at, verdict.code if result == "refused" else result)
    done = "1 case added"
    try:
        if os.path.lexists(name):
            before = read_bytes(name)
            cases = read_expectations(before, name, os.environ).cases
            known = known_case(cases, explanation.call, at)
            if known is None:
                save(name, with_case(before, name, case), known=before)
            else:
                done = _already(name, known, verdict)
        else:
            config = os.path.relpath(file.name, os.path.dirname(name) or ".")
            with open(name, "xb") as new:
                new.write(new_file(config, case))
    except ConfigError as error:
        raise RefusedConfig(name, error.problems, Exit.USAGE) from None
    except (EditError, SaveError) as error:
        raise Failure(f"{name} was left as it is: {error}", Exit.USAGE) from None
    except OSError as error:
        raise Failure(f"cannot write {name}: {reason_of(error)}", Exit.USAGE) from None
    click.echo(f"\n{escape(name)}: {done}", err=True)


def _already(name: str, known: Case, verdict: Verdict) -> str:
    """Say that the call is a case already. Raises Failure if that expects something else."""
    line = known.source.line
    if known.expected.is_met_by(verdict):
        return f"the case is on line {line} already"
    message = f"{name}:{line} expects {known.expected} of this call, and it is {verdict.code}"
    raise Failure(message, Exit.USAGE, "change what the case expects, or remove it")
