"""The button "Allow": the edit that `corsproxy allow` makes, shown, written and undone.

A file is read anew each time, and nothing is written that was not shown: "write" names the
version of the file that was seen. "Undo" puts back what was there before; if the file has been
edited since, it shows first what it would remove. Without a file, the running policy is widened
until the proxy stops.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

from corsproxy.config.editing.calls import Way
from corsproxy.config.editing.diffs import diff
from corsproxy.config.editing.edits import Edit
from corsproxy.config.editing.reversal import take_back
from corsproxy.config.editing.splices import EditError
from corsproxy.config.editing.widening import widened
from corsproxy.config.problems import ConfigError, escape, render
from corsproxy.core.advice.operation import ALLOWED, ALLOWED_BY_NOW, NO_ENTRY
from corsproxy.core.advice.remedies import Remedy, remedy_for
from corsproxy.core.page_call import PageCall
from corsproxy.core.policy import Policy
from corsproxy.core.verdicts import Code
from corsproxy.shell.admin.editing import current_file, read_and_edit
from corsproxy.shell.admin.inspector.ring import Row
from corsproxy.shell.admin.inspector.rows import Json
from corsproxy.shell.admin.inspector.undos import Undo, Undos
from corsproxy.shell.admin.inspector.why import explained, lacks_call, page_call_of
from corsproxy.shell.system.saving import ChangedError, SaveError, save


class Allowances:
    """Makes one change at a time."""

    def __init__(
        self,
        file: str | None,
        policy: Callable[[], Policy],
        adopt: Callable[[Policy], Awaitable[None]],
        reload: Callable[[], Awaitable[None]],
        note: Callable[[str], None],
        is_mended: Callable[[Row], bool],
    ) -> None:
        """`adopt` puts another policy in force. `reload` returns once the file's content is in
        force. `note` tells the terminal what a reload does not report."""
        self.file = file
        self._policy = policy
        self._adopt = adopt
        self._reload = reload
        self._note = note
        self._is_mended = is_mended
        self._undos = Undos(policy)
        self._lock = asyncio.Lock()

    @property
    def undo(self) -> Undo | None:
        """The change that Undo would take back; None if there is none."""
        return self._undos.latest

    async def propose(self, row: Row) -> Json:
        """Return the edit that would allow a row's refused call, or why there is none."""
        remedy, reason = self._remedy(row)
        if remedy is None:
            return _none(reason)
        if self.file is None:
            return self._propose_widening(remedy)
        try:
            call = self._page_call(row)
            way = await asyncio.to_thread(read_and_edit, self.file, (remedy,), call)
        except _REFUSALS as error:
            return {"possible": False, "reason": _reason(self.file, error)}
        return self._shown(self.file, way)

    async def write(self, row: Row, known: str) -> Json:
        """Make the edit if it is still the one shown under the name `known`; otherwise return the
        current one."""
        async with self._lock:
            remedy, reason = self._remedy(row)
            if remedy is None:
                return {"written": False, **_none(reason)}
            if self.file is None:
                return await self._widen(remedy, known)
            return await self._write(self.file, row, remedy, known)

    async def _write(self, file: str, row: Row, remedy: Remedy, known: str) -> Json:
        try:
            call = self._page_call(row)
            way = await asyncio.to_thread(read_and_edit, file, (remedy,), call)
            edit, shown = way.edit, self._shown(file, way)
            if shown["known"] != known:
                return {**shown, "written": False, "changed": True}
            await asyncio.to_thread(save, file, edit.after, known=edit.before)
        except ChangedError:
            # It has changed since it was read just above: it is being edited right now.
            return {**await self.propose(row), "written": False, "changed": True}
        except _REFUSALS as error:
            reason = _reason(file, error)
            return {"written": False, "possible": False, "reason": reason}
        self._undos.add(edit.summary, way.remedies, edit.before, edit.after)
        await self._reload()
        return {"written": True, "summary": edit.summary}

    async def take_back(self, number: int | None = None, known: str = "") -> Json:
        """Undo the last change, or the one with that number if it is still the last.

        If the file has been edited since, the edit is returned, and is made if it is the one
        shown under the name `known`.
        """
        async with self._lock:
            undo = self.undo
            if undo is None or number not in (None, undo.number):
                return {"undone": False, "reason": self._undos.reason(number)}
            if self.file is None:
                return await self._narrow(undo)
            try:
                return await self._take_back(self.file, undo, known)
            except _REFUSALS as error:
                return {"undone": False, "reason": _reason(self.file, error)}

    async def _take_back(self, file: str, undo: Undo, known: str) -> Json:
        edit = await asyncio.to_thread(_reverse, file, undo)
        if edit.before != undo.after:
            shown = self._shown(file, Way(edit, [], ()))
            if shown["known"] != known:
                return {**shown, "undone": False, "reason": _reason(file, ChangedError())}
        await asyncio.to_thread(save, file, edit.after, known=edit.before)
        self._undos.remove(undo)
        await self._reload()
        return {"undone": True, "summary": undo.summary}

    def _remedy(self, row: Row) -> tuple[Remedy | None, str]:
        """Return what would allow the call under the current policy, or why nothing would."""
        policy, verdict = self._policy(), row.main.verdict
        if verdict is None:
            return None, "It has not been decided yet."
        if self._is_mended(row):
            return None, ALLOWED_BY_NOW
        told = explained(policy, self._page_call(row))
        is_allowed = told is not None and told.allowed and told.remedy is None
        if is_allowed and not verdict.allowed and verdict.code is not Code.HOST_NOT_ALLOWED:
            return None, ALLOWED_BY_NOW
        remedy = None if told is None else told.remedy
        remedy = remedy or remedy_for(verdict, policy)
        if remedy is None:
            return None, ALLOWED if is_allowed else NO_ENTRY
        return remedy, ""

    def _page_call(self, row: Row) -> PageCall | None:
        """Return the call to be allowed."""
        call = page_call_of(row)
        if call is None or not lacks_call(row, self._policy()):
            return call
        return call._replace(credentials=True)

    def _shown(self, file: str, way: Way) -> Json:
        edit = way.edit
        found: Json = {
            "possible": edit.changed,
            "mode": "file",
            "file": file,
            "summary": edit.summary,
            "diff": diff(file, edit.before, edit.after),
            "known": _name_of(edit.before, edit.after),
            "warnings": [render(problem, False) for problem in edit.warnings],
            "untouched": list(edit.untouched),
            "command": " && ".join(way.commands) or None,
        }
        if not edit.changed:  # the edit has been made in another way
            found |= {"reason": edit.summary, "allowed": True}
        return found

    # Without a file.

    def _propose_widening(self, remedy: Remedy) -> Json:
        return {
            "possible": True,
            "mode": "quick",
            "summary": remedy.words,
            "diff": [f"+{remedy.key}: {remedy.value}"],
            "known": _name_of(remedy.key.encode("ascii"), remedy.value.encode("utf-8")),
            "warnings": [],
            "untouched": [],
        }

    async def _widen(self, remedy: Remedy, known: str) -> Json:
        shown = self._propose_widening(remedy)
        if shown["known"] != known:
            return {**shown, "written": False, "changed": True}
        before = self._policy()
        try:
            after = widened(before, remedy)
        except ConfigError as error:
            reason = "; ".join(problem.message for problem in error.problems)
            return {"written": False, "possible": False, "reason": reason}
        summary = escape(remedy.words)
        self._undos.add(summary, (remedy,), policy=before)
        await self._adopt(after)
        self._note(f"{summary} is allowed until the proxy stops (allowed in the inspector).")
        return {"written": True, "summary": summary}

    async def _narrow(self, undo: Undo) -> Json:
        assert undo.policy is not None  # noqa: S101 - kept for every change without a file
        self._undos.remove(undo)
        await self._adopt(undo.policy)
        self._note(f"{undo.summary} is no longer allowed (undone in the inspector).")
        return {"undone": True, "summary": undo.summary}


def _reverse(file: str, undo: Undo) -> Edit:
    """Return the edit that takes the change back. Blocks."""
    current = current_file(file)
    if current.content == undo.after:
        return Edit(undo.after, current.having(undo.before), undo.summary)
    return take_back(current, undo.before, undo.after, undo.summary)


def _none(reason: str) -> Json:
    """Say why there is no edit; if none is needed, that is good news."""
    return {"possible": False, "reason": reason} | (
        {"allowed": True} if reason is ALLOWED_BY_NOW else {}
    )


_REFUSALS = (ConfigError, EditError, SaveError, OSError)


def _reason(file: str, error: Exception) -> str:
    """Say why the file was left as it is."""
    problems = error.problems if isinstance(error, ConfigError | EditError) else ()
    if isinstance(error, EditError):
        help = f". {error.help[0].upper()}{error.help[1:]}." if error.help else ""
        words = error.reason + help
    elif isinstance(error, ConfigError):
        words = "it has problems of its own"
    elif isinstance(error, OSError):
        words = f"it cannot be read: {error.strerror or error}"
    else:
        words = str(error)
    found = "".join(f"\n{render(problem, False)}" for problem in problems)
    return f"{file} was left as it is: {words.removesuffix('.')}.{found}"


def _name_of(before: bytes, after: bytes) -> str:
    """Name an edit, so that another is not taken for it."""
    return hashlib.sha256(hashlib.sha256(before).digest() + after).hexdigest()
