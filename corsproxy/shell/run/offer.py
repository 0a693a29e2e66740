"""The edit that would allow the last refused call, offered to whoever sits at the terminal.

It is the edit that `corsproxy explain` shows and `corsproxy allow` makes, on the same way
into the file: the file is read anew, and what was changed meanwhile, cannot be written or
would change more than is asked for is left as it is, with the reason.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from corsproxy.config.editing.edits import Edit
from corsproxy.config.editing.splices import EditError
from corsproxy.config.problems import ConfigError, Problem, escape
from corsproxy.core.advice.remedies import Remedy, remedy_for
from corsproxy.core.policy import Policy
from corsproxy.shell.admin.editing import read_and_edit
from corsproxy.shell.feed.announcements import Announcer
from corsproxy.shell.feed.diff_lines import diff_lines
from corsproxy.shell.feed.recent_refusals import Refusals
from corsproxy.shell.system.saving import SaveError, save

_YES = ("y", "yes")


class Offer:
    """Shows the edit, asks, and writes it; one at a time."""

    def __init__(
        self,
        file: str | None,
        refusals: Refusals,
        announcer: Announcer,
        written: Callable[[], Awaitable[None]],
    ) -> None:
        """`file` is None where the upstream came from the command line. `written` is called
        when the file has been changed."""
        self._file = file
        self._refusals = refusals
        self._announcer = announcer
        self._written = written
        self._busy = False

    async def make(self, policy: Policy, answer: Callable[[], Awaitable[str]]) -> None:
        """Offer the edit for the last refusal under `policy`; `answer` returns what is
        typed next. Returns at once while another offer is open."""
        if self._busy:
            return
        self._busy = True
        try:
            await self._make(self._last(policy), answer)
        finally:
            self._busy = False

    def _last(self, policy: Policy) -> Remedy | None:
        remedies = (remedy_for(verdict, policy) for verdict in self._refusals.latest())
        return next(filter(None, remedies), None)

    async def _make(self, remedy: Remedy | None, answer: Callable[[], Awaitable[str]]) -> None:
        if self._file is None:
            self._announcer.note(_without_file(remedy))
            return
        if remedy is None:
            self._announcer.note(
                "Nothing to allow: since the start, or the last change of the file, no refusal "
                "was shown that an entry would allow. Repeat the call, and press a again."
            )
            return
        edit = await self._edit(self._file, remedy)
        if edit is None:
            return
        if not edit.changed:
            self._announcer.note(escape(edit.summary))
            return
        self._show(self._file, edit)
        if await answer() in _YES:
            await self._save(self._file, edit)
        else:
            self._announcer.note("Not written.")

    async def _edit(self, file: str, remedy: Remedy) -> Edit | None:
        """Return the edit; None after the reason why there is none was told."""
        try:
            return await asyncio.to_thread(read_and_edit, file, remedy)
        except ConfigError as error:
            self._left(file, "what is wrong with it is above", problems=error.problems)
        except EditError as error:
            self._left(file, error.reason, error.help, error.problems)
        except OSError as error:
            self._left(file, f"it cannot be read: {_reason(error)}")
        return None

    def _show(self, file: str, edit: Edit) -> None:
        lines = diff_lines(file, edit.before, edit.after, color=self._announcer.color)
        self._announcer.note("\n".join(["", *lines, ""]))
        self._announcer.warned(edit.warnings)
        if edit.untouched:
            names = ", ".join(edit.untouched)
            self._announcer.note(f"Lists of their own, not changed: {escape(names)}.")
        self._announcer.note(f"Write this to {escape(file)}? [y/N]")

    async def _save(self, file: str, edit: Edit) -> None:
        try:
            await asyncio.to_thread(save, file, edit.after, known=edit.before)
        except SaveError as error:
            self._left(file, str(error), "make the change above by hand")
        else:
            await self._written()

    def _left(
        self, file: str, reason: str, help: str = "", problems: Iterable[Problem] = ()
    ) -> None:
        self._announcer.warned(tuple(problems))
        what_to_do = f"\n  {help}" if help else ""
        self._announcer.note(f"{escape(file)} was left as it is: {escape(reason)}{what_to_do}")


def _reason(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{reason[:1].lower()}{reason[1:]}"


def _without_file(remedy: Remedy | None) -> str:
    if remedy is None:
        return (
            "There is no file to edit: the upstream came from the command line. "
            "--allow-origin ORIGIN adds an origin; corsproxy init writes a file."
        )
    if remedy.is_flag:
        return f"There is no file to edit: write one (corsproxy init), or {remedy.sentence}"
    return f"There is no file to edit: {remedy.sentence}."
