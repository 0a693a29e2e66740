"""Offers, at the terminal, the edit that would allow a refused call.

Any page can make itself the last refusal, so the list of refusals names who asked. Without
a file, the call is allowed until the proxy stops.

The edit is the one that `corsproxy explain` shows and `corsproxy allow` makes, written the
same way. The file is read again first; if it changed meanwhile, cannot be written, or the
edit would allow more than was asked for, it is left alone and the reason is given.
"""

import asyncio
import textwrap
from collections.abc import Awaitable, Callable, Iterable

from corsproxy.config.editing.edits import Edit
from corsproxy.config.editing.splices import EditError
from corsproxy.config.editing.widening import widened
from corsproxy.config.problems import ConfigError, Problem, escape
from corsproxy.core.advice.operation import NOTHING_TO_ALLOW, hopeless
from corsproxy.core.advice.remedies import Remedy
from corsproxy.core.policy import Policy
from corsproxy.shell.admin.editing import read_and_edit
from corsproxy.shell.feed.announcements import Announcer
from corsproxy.shell.feed.diff_lines import diff_lines
from corsproxy.shell.feed.layout import shortened, terminal_width
from corsproxy.shell.feed.quoting import printable
from corsproxy.shell.feed.recent_refusals import Refusals
from corsproxy.shell.system.saving import SaveError, save

_YES = ("y", "yes")
_MOST_LISTED = 9
_LONGEST = 400

Remedies = tuple[Remedy, ...]

Answer = Callable[[], Awaitable[str]]
"""Returns the next line typed."""


class Offer:
    """Shows the edit, asks, and writes it; one at a time."""

    def __init__(
        self,
        file: str | None,
        refusals: Refusals,
        announcer: Announcer,
        written: Callable[[], Awaitable[None]],
        adopt: Callable[[Policy], Awaitable[None]],
    ) -> None:
        """`file` is None if the upstream came from the command line; then `adopt` puts another
        policy in force. `written` is called after the file has been changed."""
        self._file = file
        self._refusals = refusals
        self._announcer = announcer
        self._written = written
        self._adopt = adopt
        self._busy = False

    async def make(self, policy: Policy, answer: Answer) -> None:
        """Offer the edit for one of the last refusals under `policy`; `answer` returns the next
        line typed. Returns at once while another offer is open."""
        if self._busy:
            return
        self._busy = True
        try:
            remedies = await self._chosen(answer)
            if remedies and self._file is None:
                await self._widen(policy, remedies, answer)
            elif remedies and self._file is not None:
                await self._make(self._file, remedies, answer)
        finally:
            self._busy = False

    async def _chosen(self, answer: Answer) -> Remedies:
        """Return the remedies of one call; if there are none, the reason has been printed."""
        found: dict[Remedies, bytes] = {}
        for refusal in self._refusals.latest():
            found.setdefault(refusal.remedies, refusal.origin)
        choices = list(found)[:_MOST_LISTED]
        if self._refusals.hopeless is not None:
            asked = printable(self._refusals.hopeless[:_LONGEST]) or "-"
            self._announcer.note(hopeless(asked, are_more=bool(choices)))
            if not choices:
                return ()
        if len(choices) < 2:
            if not choices:
                self._announcer.note(NOTHING_TO_ALLOW)
            return choices[0] if choices else ()
        self._announcer.note("These were refused last. Which one should be allowed?")
        for number, remedies in enumerate(choices, 1):
            asked = printable(found[remedies][:_LONGEST]) or "-"
            for line in _listed(number, _words(remedies), asked, terminal_width()):
                self._announcer.note(line)
        self._announcer.note(f"1 to {len(choices)} + enter, or enter alone for none:")
        typed = await answer()
        if typed.isdecimal() and 0 < int(typed[:3]) <= len(choices):
            return choices[int(typed) - 1]
        self._announcer.note("Nothing was changed.")
        return ()

    async def _widen(self, policy: Policy, remedies: Remedies, answer: Answer) -> None:
        """Ask, then allow it until the proxy stops."""
        what = _words(remedies)
        self._announcer.note(f"Allow {what} until the proxy stops? [y/N]")
        if await answer() not in _YES:
            self._announcer.note("Nothing was changed.")
            return
        try:
            await self._adopt(widened(policy, *remedies))
        except ConfigError as error:
            self._announcer.warned(error.problems)
        else:
            self._announcer.note(f"{what} is allowed until the proxy stops.")

    async def _make(self, file: str, remedies: Remedies, answer: Answer) -> None:
        edit = await self._edit(file, remedies)
        if edit is None:
            return
        if not edit.changed:
            self._announcer.note(escape(edit.summary))
            return
        self._show(file, edit)
        if await answer() in _YES:
            await self._save(file, edit)
        else:
            self._announcer.note("Not written.")

    async def _edit(self, file: str, remedies: Remedies) -> Edit | None:
        """Return the edit, or None after printing why there is none."""
        try:
            return (await asyncio.to_thread(read_and_edit, file, remedies)).edit
        except ConfigError as error:
            self._report_unchanged(file, "what is wrong with it is above", problems=error.problems)
        except EditError as error:
            self._report_unchanged(file, error.reason, error.help, error.problems)
        except OSError as error:
            self._report_unchanged(file, f"it cannot be read: {_reason(error)}")
        return None

    def _show(self, file: str, edit: Edit) -> None:
        lines = diff_lines(file, edit.before, edit.after, color=self._announcer.color)
        self._announcer.note("\n".join(["", *lines, ""]))
        self._announcer.warned(edit.warnings)
        if edit.untouched:
            names = ", ".join(edit.untouched)
            self._announcer.note(f"Not changed, because they set their own list: {escape(names)}.")
        self._announcer.note(f"Write this to {escape(file)}? [y/N]")

    async def _save(self, file: str, edit: Edit) -> None:
        try:
            await asyncio.to_thread(save, file, edit.after, known=edit.before)
        except SaveError as error:
            self._report_unchanged(file, str(error), "make the change above by hand")
        else:
            await self._written()

    def _report_unchanged(
        self, file: str, reason: str, help: str = "", problems: Iterable[Problem] = ()
    ) -> None:
        self._announcer.warned(tuple(problems))
        what_to_do = f"\n  {help}" if help else ""
        self._announcer.note(f"{escape(file)} was left as it is: {escape(reason)}{what_to_do}")


def _words(remedies: Remedies) -> str:
    """Return what would be allowed, in short."""
    return escape(", ".join(remedy.words for remedy in remedies))[:_LONGEST]


def _listed(number: int, what: str, asked: str, width: int) -> list[str]:
    """Return the lines of one list entry, no wider than the terminal."""
    lines = textwrap.wrap(what, width - 5, break_on_hyphens=False) or [""]
    asked = shortened(f"asked for by {asked}", width - 5)
    if len(lines) == 1 and len(lines[0]) + len(asked) + 8 <= width:
        lines = [f"{lines[0]}   {asked}"]
    else:
        lines.append(asked)
    return [f"  {number if at == 0 else ' '}  {line}" for at, line in enumerate(lines)]


def _reason(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{reason[:1].lower()}{reason[1:]}"
