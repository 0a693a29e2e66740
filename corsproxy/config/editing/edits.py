"""`corsproxy allow`: one more entry in the allowlist file, and nothing else.

A pure function from the file's bytes to its new bytes. What it promises: every byte that
was there is there still, in order, but for a `false` that becomes `true`; and the new
file means the old policy with that one entry added. The second is not believed but
checked: the new file is read again and compared with what was intended. What cannot be
done so is refused.
"""

import re
from collections.abc import Mapping as EnvironMapping
from collections.abc import Sequence as ValueSequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from corsproxy.config.changes import changes
from corsproxy.config.editing.allowlists import Allowlists, Place, check_alone, value_of
from corsproxy.config.editing.comparison import same_but_places
from corsproxy.config.editing.entries import NewEntry, read_entry
from corsproxy.config.editing.layout import Layout, Value
from corsproxy.config.editing.splices import EditError, Splice, spliced_bytes
from corsproxy.config.problems import ConfigError, Problem
from corsproxy.config.reader import Reading, read_policy
from corsproxy.config.yaml.document import Document, read_document
from corsproxy.config.yaml.nodes import Entry, Mapping, Node, Scalar, Sequence
from corsproxy.core.advice.remedies import RemedyKey, list_source, listed_under, split_values
from corsproxy.core.origins import OriginSet
from corsproxy.core.policy import CorsRules, Policy, Route

# Where `cors` is put, if it is missing: behind the last of these that comes before `routes`.
_BEFORE_CORS = ("version", "listen", "admin", "allowed_hosts", "upstream", "path", "name")


@dataclass(frozen=True, eq=False)
class File:
    """An allowlist file and what reading it needs; see `read_policy`. It is read once."""

    content: bytes
    name: str
    environ: EnvironMapping[str, str]
    directory: str
    day: str | None = None

    @cached_property
    def document(self) -> Document:
        """What is written. Raises ConfigError."""
        return read_document(self.content, self.name)

    @cached_property
    def reading(self) -> Reading:
        """What it means. Raises ConfigError."""
        return read_policy(self.document, self.name, self.environ, self.directory, day=self.day)

    def having(self, content: bytes) -> "File":
        """Return the file as it is with another content."""
        return self if content == self.content else replace(self, content=content)


class Edit(NamedTuple):
    """A change of a file that keeps its promise."""

    before: bytes
    file: File
    """The file with the change; as it was where the value was allowed already."""
    summary: str
    """The change in words, or what allows the value already."""
    warnings: tuple[Problem, ...] = ()
    """What the reader says about the new file and did not say about the old one."""
    untouched: tuple[str, ...] = ()
    """Routes with lists of their own, for which nothing changes."""

    @property
    def after(self) -> bytes:
        """The content with the change."""
        return self.file.content

    @property
    def changed(self) -> bool:
        return self.after != self.before


def allow(file: File, key: RemedyKey, value: str, route: str | None = None) -> Edit:
    """Return the file in which `value`, or each name of a list of headers, is allowed too.

    `route` is a route's name or path: then it is allowed for that route alone. Without
    it, the list that decides is changed: a route's own, if it is the only one, or else
    the default. A list that is missing is written with all that it stands for so far.

    Raises ConfigError where the file or the value has an error of its own, and
    EditError where the entry cannot be added so that nothing else changes.
    """
    return allow_all(file, key, split_values(key, value), route)


def allow_all(
    file: File, key: RemedyKey, values: ValueSequence[str], route: str | None = None
) -> Edit:
    """Return the file in which each of the values is allowed too; see `allow`."""
    edits: list[Edit] = []
    failures: list[EditError] = []
    current = file
    for entry in _entries(key, values):
        try:
            edits.append(_allow(current, key, entry, route))
        except EditError as error:
            failures.append(error)
        else:
            current = edits[-1].file
    if failures:
        raise _together(failures)
    changed = [edit for edit in edits if edit.changed]
    return Edit(
        file.content,
        current,
        ", ".join(edit.summary for edit in changed or edits),
        tuple(dict.fromkeys(warning for edit in changed for warning in edit.warnings)),
        edits[-1].untouched,
    )


def _entries(key: RemedyKey, values: ValueSequence[str]) -> list[NewEntry]:
    """Read the values. Raises ConfigError with the problems of all of them."""
    found: list[NewEntry] = []
    problems: list[Problem] = []
    for value in dict.fromkeys(values):
        try:
            found.append(read_entry(key, value))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return found


def _together(failures: ValueSequence[EditError]) -> EditError:
    reasons = "; ".join(dict.fromkeys(error.reason for error in failures))
    problems = [problem for error in failures for problem in error.problems]
    return EditError(reasons, failures[0].help, problems)


def _allow(file: File, key: RemedyKey, entry: NewEntry, route: str | None) -> Edit:
    before, document = file.reading, file.document
    if key == "allowed_hosts":
        return _allow_host(file, before, document, entry)
    lists = Allowlists(document, before.policy)
    place = lists.place(key, route)
    written = place.node is not None or lists.inherited(key) is not None
    by = entry.allowed_by(place.rules, written=written)
    if by is not None:
        return _already(file, entry, by)
    _check_not_expired(entry, place.rules)
    intended = _intended(before.policy, place, entry)
    splices = _splices(document, lists, place, entry)
    edit = _checked(file, before, splices, intended)
    wider = next((found for found in edit.warnings if found.code == "subsumed-entry"), None)
    if wider is not None and f"allows `{entry.text}`" in wider.message:
        return _already(file, entry, f"by {wider.message.partition(' allows ')[0]}")
    return edit._replace(untouched=place.untouched)


def _allow_host(file: File, before: Reading, document: Document, entry: NewEntry) -> Edit:
    by = entry.host_allowed_by(before.policy)
    if by is not None:
        return _already(file, entry, by)
    layout = Layout(document)
    written = layout.written(entry.text)
    node = value_of(document.root, entry.key)
    if node is not None:
        check_alone(document, node)
        splices = layout.add_item(node, written)
    else:
        after = _last_of(document.root, ("version", "listen", "admin"))
        splices = layout.add_entry(document.root, entry.key, [written], after)
    return _checked(file, before, splices, entry.added_to_hosts(before.policy))


def _check_not_expired(entry: NewEntry, rules: CorsRules) -> None:
    """Refuse to list an origin a second time beside its expired entry."""
    if entry.key != "allow_origins":
        return
    for pattern in rules.origins.expired:
        if pattern.text == entry.text:
            reason = f"{pattern} is listed and expired after {pattern.until} ({pattern.source})"
            raise EditError(reason, "give that entry a later `until`")


def _already(file: File, entry: NewEntry, by: str) -> Edit:
    what = entry.key if entry.key == "allow_credentials" else entry.text
    return Edit(file.content, file, f"{what}: allowed already ({by})")


def _splices(document: Document, lists: Allowlists, place: Place, entry: NewEntry) -> list[Splice]:
    layout = Layout(document)
    if place.node is not None:
        if entry.key == "allow_credentials":
            return [_replaced(place.node, "true")]
        return layout.add_item(place.node, layout.written(entry.text))
    value: Value = "true"
    if entry.key != "allow_credentials":
        value = [*_so_far(layout, lists, place, entry), layout.written(entry.text)]
    if place.cors is not None:
        return layout.add_entry(place.cors, entry.key, value)
    after = _last_of(place.holder, _BEFORE_CORS)
    return layout.add_entry(place.holder, "cors", {entry.key: value}, after)


def _replaced(node: Node, text: str) -> Splice:
    if not isinstance(node, Scalar) or "$" in node.text:
        raise EditError("the value comes from the environment", "set the variable to `true`")
    return Splice(node.start.offset, node.end.offset, text)


def _so_far(layout: Layout, lists: Allowlists, place: Place, entry: NewEntry) -> list[str]:
    """Return the entries that a list which is not written stands for, as to be written."""
    if entry.any:
        return []
    written = lists.inherited(entry.key)
    if written is not None:
        # As they are written there, so that a variable stays one.
        items = written.items if isinstance(written, Sequence) else [written]
        return [_copied(layout, item) for item in items]
    if entry.key == "allow_origins":
        return [layout.written(pattern.text) for pattern in place.rules.origins]
    return [layout.written(name) for name in listed_under(place.rules, entry.key).names]


def _copied(layout: Layout, item: Node) -> str:
    """Return an entry of another list as it is to be written: a text, or a mapping of texts."""
    if isinstance(item, Scalar):
        return layout.copied(item.text)
    if not isinstance(item, Mapping) or not all(isinstance(e.value, Scalar) for e in item.entries):
        raise EditError("an entry cannot be copied", "edit the file by hand")
    pairs = (
        f"{layout.copied(key.text)}: {_copied(layout, value)}" for key, value, _ in item.entries
    )
    return f"{{{', '.join(pairs)}}}"


def _last_of(mapping: Mapping, keys: ValueSequence[str]) -> Entry | None:
    """Return the last entry with one of the keys; None where that is no place for more."""
    own = [entry for entry in mapping.entries if not entry.merged and entry.key.text in keys]
    return max(own, key=lambda entry: entry.key.start.offset, default=None)


def _intended(policy: Policy, place: Place, entry: NewEntry) -> Policy:
    """Return the policy that the new file must mean."""
    source = list_source(place.rules, entry.key)
    writes_list = place.node is None

    longer: dict[int, OriginSet] = {}

    def widened(rules: CorsRules) -> CorsRules:
        if writes_list and entry.any:
            return entry.alone_in(rules)
        if id(rules.origins) in longer:
            return replace(rules, origins=longer[id(rules.origins)])
        found = entry.added_to(rules)
        if entry.key == "allow_origins":
            # Routes share a list, which may be long.
            longer[id(rules.origins)] = found.origins
        return found

    def affected(route: Route, rules: CorsRules) -> bool:
        if writes_list and place.route is not None:
            return route is place.route
        return list_source(rules, entry.key) == source

    routes = tuple(
        replace(route, cors=widened(route.cors))
        if isinstance(route.cors, CorsRules) and affected(route, route.cors)
        else route
        for route in policy.routes
    )
    default = policy.default_cors if place.route else widened(policy.default_cors)
    return replace(policy, routes=routes, default_cors=default)


def _checked(file: File, before: Reading, splices: list[Splice], intended: Policy) -> Edit:
    """Return the edit, if the new file means what was intended; raises EditError."""
    changed = file.having(spliced_bytes(file.content, splices))
    try:
        after = changed.reading
    except ConfigError as error:
        reason = "with this entry the file would be refused"
        raise EditError(reason, problems=error.problems) from error
    if not same_but_places(after.policy, intended):
        reason = "the entry cannot be added here without changing more than is asked for"
        raise EditError(reason, "edit the file by hand")
    # Names beside which `"*"` stands now are not gone, though their list may be.
    found = (change for change in changes(before.policy, after.policy) if change.sign != "-")
    summary = ", ".join(map(str, found))
    warnings = _new_warnings(before, after)
    return Edit(file.content, changed, summary, warnings)


def _new_warnings(before: Reading, after: Reading) -> tuple[Problem, ...]:
    known = {_without_lines(problem) for problem in before.warnings}
    return tuple(problem for problem in after.warnings if _without_lines(problem) not in known)


def _without_lines(problem: Problem) -> tuple[str, str]:
    return problem.code, re.sub(r"\bline \d+", "line", problem.message)
