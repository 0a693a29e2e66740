"""The smallest edit after which a page's call is allowed, whatever the file lacks for it."""

from collections.abc import Sequence
from typing import NamedTuple

from corsproxy.config.editing.edits import Edit, File, allow
from corsproxy.core.advice.remedies import Remedy, command_of
from corsproxy.core.explain.explanation import explain
from corsproxy.core.page_call import PageCall

_MOST_STEPS = 6  # origin, method, headers, credentials, and one that comes of them


class Way(NamedTuple):
    """An edit of the file, and the commands that make it one after the other."""

    edit: Edit
    commands: list[str]
    remedies: tuple[Remedy, ...]
    """What it allows, in the same order."""


def allow_call(file: File, call: PageCall) -> Way | None:
    """Return the edit after which the call is allowed; None where no entry would allow it, or
    nothing has to.

    What is refused next shows only once the first is allowed: so each step is explained anew.
    Raises ConfigError, EditError, and ValueError for a call that no browser makes.
    """
    edits: list[Edit] = []
    commands: list[str] = []
    remedies: list[Remedy] = []
    current = file
    policy = file.reading.policy
    while len(edits) < _MOST_STEPS:
        explanation = explain(policy, call)
        remedy = explanation.remedy
        if explanation.allowed or remedy is None:
            break
        edits.append(allow(current, remedy.key, remedy.value, remedy.route))
        commands += [remedy.command] if remedy.command else []
        remedies.append(remedy)
        current = edits[-1].file
        policy = current.reading.policy
    else:
        return None
    return Way(_joined(edits), commands, tuple(remedies)) if edits else None


def allow_remedies(file: File, remedies: Sequence[Remedy]) -> Way:
    """Return the edit that makes all of the changes. Raises ConfigError and EditError."""
    edits: list[Edit] = []
    current = file
    for remedy in remedies:
        edits.append(allow(current, remedy.key, remedy.value, remedy.route))
        current = edits[-1].file
    command = command_of(remedies)
    return Way(_joined(edits), [] if command is None else [command], tuple(remedies))


def _joined(edits: Sequence[Edit]) -> Edit:
    """Return the one edit that several make, each of what the one before it has left."""
    made = [edit for edit in edits if edit.changed] or edits
    return edits[-1]._replace(
        before=edits[0].before,
        summary=", ".join(edit.summary for edit in made),
        warnings=tuple(dict.fromkeys(warning for edit in made for warning in edit.warnings)),
        untouched=tuple(dict.fromkeys(name for edit in made for name in edit.untouched)),
    )
