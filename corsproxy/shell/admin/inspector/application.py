"""The inspector's routes on the admin listener: the page, its feed and its actions.

Every route answers only the inspector's own page (see `admission`), is `no-store`, and has a
CSP that runs nothing but the page's own modules.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from importlib.resources import files

from aiohttp import web
from aiohttp.typedefs import Handler

from corsproxy.shell.admin.inspector.admission import HEADERS, Admission, refusal
from corsproxy.shell.admin.inspector.allowances import Allowances
from corsproxy.shell.admin.inspector.allowlist import allowlist, learnt
from corsproxy.shell.admin.inspector.capture import Policies
from corsproxy.shell.admin.inspector.copies import COPIES, NotCopiedError, Rules
from corsproxy.shell.admin.inspector.details import details
from corsproxy.shell.admin.inspector.event_stream import EventStream
from corsproxy.shell.admin.inspector.har import har
from corsproxy.shell.admin.inspector.replay import Replay, Replayer, ReplayError
from corsproxy.shell.admin.inspector.ring import MOST_EXCHANGES, Ring, Row
from corsproxy.shell.admin.inspector.rows import Json, is_unread
from corsproxy.shell.admin.inspector.secrets import MakeRedactor, OpenRedactor
from corsproxy.shell.admin.inspector.usage import Usage

_CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_MOST_OF_REQUEST = 64 * 1024

Action = Callable[[Row, Json], Awaitable[Json]]


class Inspector:
    """Serves the page and its requests."""

    def __init__(
        self,
        admission: Admission,
        ring: Ring,
        usage: Usage,
        policies: Policies,
        allowances: Allowances,
        is_mended: Callable[[Row], bool],
        replayer: Replayer,
        redactor: MakeRedactor,
    ) -> None:
        self._admission = admission
        self._ring = ring
        self._usage = usage
        self._policies = policies
        self._allowances = allowances
        self._replayer = replayer
        self._redactor = redactor
        self._is_mended = is_mended
        self._stream = EventStream(ring, redactor, self._is_mended, self.state)
        self._files = read_files("corsproxy.shell.admin.inspector")

    def add_to(self, application: web.Application) -> None:
        """Add the inspector's routes to the application."""
        routes = [web.get("/", self._page)]
        for path, handler in (
            ("/inspector/events", self._stream.serve),
            ("/inspector/rows", self._rows),
            ("/inspector/rows/{id:[0-9]{1,15}}", self._details),
            ("/inspector/allowlist", self._allowlist),
            ("/inspector/{name:[a-z_]+[.][a-z]+}", self._file),
        ):
            routes.append(web.get(path, self._read(handler), allow_head=False))
        for action, perform in (
            ("reveal", self._reveal),
            ("copy", self._copy),
            ("replay", self._replay),
            ("edit", self._edit),
            ("write", self._write),
        ):
            path = f"/inspector/rows/{{id:[0-9]{{1,15}}}}/{action}"
            routes.append(web.post(path, self._act_on_row(perform)))
        routes += [
            web.post("/inspector/undo", self._act(self._undo)),
            web.post("/inspector/clear", self._act(self._clear)),
            web.post("/inspector/har", self._act(self._har)),
        ]
        application.add_routes(routes)
        application.on_shutdown.append(self._close)

    async def _close(self, _: web.Application) -> None:
        self._stream.close()

    def state(self) -> Json:
        """Return what the page shows beside the rows."""
        undo = self._allowances.undo
        return {
            "file": self._allowances.file,
            "undo": None if undo is None else undo.summary,
            "change": 0 if undo is None else undo.number,
            "most": MOST_EXCHANGES,
        }

    # Who may ask.

    def _read(self, handler: Handler) -> Handler:
        async def checked(request: web.Request) -> web.StreamResponse:
            self._admission.check_read(request.headers)
            return await handler(request)

        return checked

    def _act(self, perform: Callable[[Json], Awaitable[Json]]) -> Handler:
        async def checked(request: web.Request) -> web.StreamResponse:
            self._admission.check_write(request.headers)
            return _json(await perform(await _asked(request)))

        return checked

    def _act_on_row(self, perform: Action) -> Handler:
        async def checked(request: web.Request) -> web.StreamResponse:
            self._admission.check_write(request.headers)
            asked = await _asked(request)
            return _json(await perform(self._row(request), asked))

        return checked

    def _row(self, request: web.Request) -> Row:
        row = self._ring.get(int(request.match_info["id"]))
        if row is None:
            raise refusal(web.HTTPNotFound, "That call is no longer kept.\n")
        return row

    # The page.

    async def _page(self, request: web.Request) -> web.StreamResponse:
        """Answer a navigation. A token in the URL gets the browser its cookie and a redirect to
        the URL without the token, to keep the token out of shared histories."""
        self._admission.check_host(request.headers)
        token = request.query.get("token")
        if token is not None and self._admission.is_token(token):
            headers = {**HEADERS, "Location": "/", "Set-Cookie": self._admission.set_cookie()}
            return web.Response(status=303, headers=headers)
        self._admission.check_cookie(request.headers)
        return self._served("index.html")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        return self._served(request.match_info["name"])

    def _served(self, name: str) -> web.Response:
        if name not in self._files:
            raise refusal(web.HTTPNotFound, "There is no such file.\n")
        content, content_type = self._files[name]
        return web.Response(body=content, headers={**HEADERS, "Content-Type": content_type})

    # Reading.

    async def _rows(self, _: web.Request) -> web.StreamResponse:
        return _json(self._stream.snapshot())

    async def _details(self, request: web.Request) -> web.StreamResponse:
        return _json(self._details_of(self._row(request)))

    def _details_of(self, row: Row, redactor: MakeRedactor | None = None) -> Json:
        decided_by = self._policies.decided_by(row.main.generation)
        make = redactor or self._redactor
        mended = self._is_mended(row)
        return details(row, make(), decided_by, self._policies.policy, mended=mended)

    async def _allowlist(self, _: web.Request) -> web.StreamResponse:
        policy, file = self._policies.policy, self._allowances.file
        found = allowlist(policy, self._usage, file, self._is_allowed_now)
        if file is not None:
            found["learnt"] = await asyncio.to_thread(learnt, policy, self._usage, file)
        return _json(found)

    def _is_allowed_now(self, number: int) -> bool:
        row = self._ring.get(number)
        return row is not None and self._is_mended(row)

    # Actions.

    async def _reveal(self, row: Row, asked: Json) -> Json:
        redactor = self._redactor()
        self._details_of(row, lambda: redactor)
        mark = _text(asked, "mark")
        if mark not in redactor.found:
            raise refusal(web.HTTPNotFound, "There is no such secret in that call.\n")
        return {"value": redactor.found[mark]}

    async def _copy(self, row: Row, asked: Json) -> Json:
        copy = COPIES.get(_text(asked, "as"))
        if copy is None:
            raise refusal(web.HTTPUnprocessableEntity, "There is no such copy.\n")
        if is_unread(row.main):
            return {"reason": "It could not be read as a request, so there is nothing to copy."}
        redactor = OpenRedactor(b"") if asked.get("secrets") is True else self._redactor()
        try:
            text = copy(row, redactor, self._rules())
        except NotCopiedError as error:
            return {"reason": str(error)}
        return {"text": text, "complete": row.main.request_body.is_whole}

    def _rules(self) -> Rules:
        file, routes = self._allowances.file, self._policies.policy.routes
        return Rules(file, "" if file or not routes else str(routes[0].upstream))

    async def _replay(self, row: Row, asked: Json) -> Json:
        origin = asked.get("origin")
        wanted = Replay(
            origin if isinstance(origin, str) else None,
            asked.get("cookies") is not False,
            asked.get("preflight") is True,
            asked.get("confirmed") is True,
        )
        try:
            return {"sent": True, "id": await self._replayer.replay(row, wanted)}
        except ReplayError as error:
            return {"sent": False, "reason": str(error), "asks": error.asks}

    async def _edit(self, row: Row, _: Json) -> Json:
        return await self._allowances.propose(row)

    async def _write(self, row: Row, asked: Json) -> Json:
        found = await self._allowances.write(row, _text(asked, "known"))
        self._ring.wake()
        return found

    async def _undo(self, asked: Json) -> Json:
        number = asked.get("change")
        found = await self._allowances.take_back(
            number if type(number) is int else None, _text(asked, "known")
        )
        self._ring.wake()
        return found

    async def _clear(self, _: Json) -> Json:
        self._ring.clear()
        return {"cleared": True}

    async def _har(self, asked: Json) -> Json:
        ids = asked.get("ids")
        if not isinstance(ids, list):
            raise refusal(web.HTTPUnprocessableEntity, "`ids` must be a list of rows.\n")
        rows = [self._ring.get(each) for each in ids if type(each) is int]
        exchanges = [each for row in rows if row is not None for each in row.exchanges]
        exchanges = [each for each in exchanges if not is_unread(each)]
        exchanges.sort(key=lambda each: each.started)
        redactor = OpenRedactor(b"") if asked.get("secrets") is True else self._redactor()
        return har(exchanges, redactor)


async def _asked(request: web.Request) -> Json:
    """Return the JSON object in the request body. Raises web.HTTPException."""
    if (request.content_length or 0) > _MOST_OF_REQUEST:
        raise refusal(web.HTTPUnprocessableEntity, "The request body is too large.\n")
    try:
        found = json.loads(await request.read())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise refusal(web.HTTPUnprocessableEntity, "The request body must be a JSON object.\n")
    return found


def _text(asked: Json, name: str) -> str:
    value = asked.get(name)
    return value if isinstance(value, str) else ""


def _json(content: Json) -> web.Response:
    text = json.dumps(content)
    return web.Response(text=text, content_type="application/json", headers=HEADERS)


def read_files(package: str) -> dict[str, tuple[bytes, str]]:
    """Return the files of a package's pages with their Content-Types, by name."""
    found = {}
    for entry in files(package).joinpath("web").iterdir():
        suffix = entry.name[entry.name.rfind(".") :]
        if suffix in _CONTENT_TYPES:
            found[entry.name] = (entry.read_bytes(), _CONTENT_TYPES[suffix])
    return found
