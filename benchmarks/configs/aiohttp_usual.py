"""The usual proxy in aiohttp: `web.Application` and `ClientSession`."""

import asyncio
import os

import uvloop
from aiohttp import ClientSession, DummyCookieJar, TCPConnector, WSMsgType, web

ALLOWED = {os.environ["ORIGIN"]}
UPSTREAM = os.environ["UPSTREAM"]
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer"}
SESSION = web.AppKey("session", ClientSession)


async def handle(request: web.Request) -> web.StreamResponse:
    """Check the origin, answer a preflight, forward the rest."""
    origin = request.headers.get("Origin")
    if origin is not None and origin not in ALLOWED:
        return web.Response(status=403)
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        return web.Response(
            status=204,
            headers={
                "Access-Control-Allow-Origin": origin or "",
                "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
                "Access-Control-Allow-Headers": "content-type, authorization",
                "Vary": "Origin",
            },
        )
    if request.headers.get("Upgrade", "").lower() == "websocket":
        return await relay(request)
    headers = [(n, v) for n, v in request.headers.items() if n.lower() not in HOP_BY_HOP]
    body = request.content.iter_any() if request.can_read_body else None
    async with request.app[SESSION].request(
        request.method, UPSTREAM + request.raw_path, headers=headers, data=body,
        allow_redirects=False,
    ) as answer:  # fmt: skip
        response = web.StreamResponse(status=answer.status, reason=answer.reason)
        for name, value in answer.headers.items():
            if name.lower() not in HOP_BY_HOP and not name.lower().startswith("access-control-"):
                response.headers.add(name, value)
        if origin is not None:
            response.headers["Access-Control-Allow-Origin"] = origin
        response.headers.add("Vary", "Origin")
        await response.prepare(request)
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
        return response


async def relay(request: web.Request) -> web.WebSocketResponse:
    """Pass messages between two WebSockets."""
    client = web.WebSocketResponse()
    await client.prepare(request)
    async with request.app[SESSION].ws_connect(UPSTREAM + request.raw_path) as upstream:

        async def to_client() -> None:
            async for message in upstream:
                if message.type is WSMsgType.TEXT:
                    await client.send_str(message.data)
                else:
                    await client.send_bytes(message.data)

        task = asyncio.ensure_future(to_client())
        async for message in client:
            if message.type is WSMsgType.TEXT:
                await upstream.send_str(message.data)
            else:
                await upstream.send_bytes(message.data)
        task.cancel()
    return client


async def application() -> web.Application:
    """Build the application with its one session."""
    app = web.Application(client_max_size=0)
    app[SESSION] = ClientSession(
        cookie_jar=DummyCookieJar(), auto_decompress=False, connector=TCPConnector(limit=0)
    )
    app.router.add_route("*", "/{path:.*}", handle)
    return app


if __name__ == "__main__":
    uvloop.install()
    web.run_app(
        application(), host="127.0.0.1", port=int(os.environ["PORT"]), access_log=None, print=None
    )
