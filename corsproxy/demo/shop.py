"""The demo's upstream: a small shop API without CORS.

It answers like a real one: lists, a session cookie, errors in JSON, an event stream. It never
sends an Access-Control field, and answers 405 to the browser's OPTIONS.
"""

import asyncio
import json
from itertools import count
from secrets import token_urlsafe
from typing import NamedTuple

from aiohttp import web

from corsproxy.demo.observations import Observations


class Product(NamedTuple):
    id: int
    name: str
    price: float


PRODUCTS = (
    Product(1, "Desk lamp", 49.0),
    Product(2, "Oak shelf", 129.0),
    Product(3, "Wool rug", 210.0),
)
EURO_RATES = {"EUR": 1.0, "USD": 1.08, "JPY": 163.0}
MAX_CONTENT = 512
EVENTS = 5
EVENT_INTERVAL_S = 0.12


class Shop:
    """The API's state: who is logged in. One instance per run of the demo."""

    def __init__(self) -> None:
        self._sessions: dict[str, str] = {}
        self._request_ids = count(1)

    def application(self, observations: Observations) -> web.Application:
        """Return the server's application; every response is recorded in `observations`."""
        app = web.Application(client_max_size=MAX_CONTENT)
        app.add_routes(
            [
                web.get("/api/products", self.products),
                web.get("/api/products/{id}", self.product),
                web.get("/api/prices", self.prices),
                web.post("/api/cart", self.add_to_cart),
                web.put("/api/cart/1", self.replace_item),
                web.patch("/api/cart/1", self.change_item),
                web.delete("/api/cart/1", self.remove_item),
                web.post("/api/login", self.login),
                web.get("/api/me", self.me),
                web.get("/api/report", self.report),
                web.get("/api/events", self.events),
            ]
        )

        async def observe(request: web.Request, response: web.StreamResponse) -> None:
            response.headers["X-Request-Id"] = f"shop-{next(self._request_ids)}"
            observations.add(
                "api",
                {
                    "method": request.method,
                    "path": request.path,
                    "origin": request.headers.get("Origin"),
                    "status": response.status,
                },
            )

        app.on_response_prepare.append(observe)
        return app

    async def products(self, _: web.Request) -> web.Response:
        products = [product._asdict() for product in PRODUCTS]
        return web.json_response(products, headers={"X-Total-Count": str(len(products))})

    async def product(self, request: web.Request) -> web.Response:
        wanted = request.match_info["id"]
        for product in PRODUCTS:
            if str(product.id) == wanted:
                return web.json_response(product._asdict())
        return web.json_response({"error": "no such product", "id": wanted}, status=404)

    async def prices(self, request: web.Request) -> web.Response:
        currency = request.headers.get("X-Currency", "EUR")
        rate = EURO_RATES.get(currency)
        if rate is None:
            return web.json_response({"error": "unknown currency"}, status=422)
        prices = {product.name: round(product.price * rate, 2) for product in PRODUCTS}
        return web.json_response({"currency": currency, "prices": prices})

    async def add_to_cart(self, request: web.Request) -> web.Response:
        item = await _json_object(request)
        return web.json_response(
            {"item": 1, **item}, status=201, headers={"Location": "/api/cart/1"}
        )

    async def replace_item(self, request: web.Request) -> web.Response:
        return web.json_response({"item": 1, **await _json_object(request)})

    async def change_item(self, request: web.Request) -> web.Response:
        return web.json_response({"item": 1, "product": 2, **await _json_object(request)})

    async def remove_item(self, _: web.Request) -> web.Response:
        return web.json_response({"removed": 1})

    async def login(self, request: web.Request) -> web.Response:
        user = (await _json_object(request)).get("user")
        if not isinstance(user, str) or not user:
            return web.json_response({"error": "user is missing"}, status=422)
        session = token_urlsafe(16)
        self._sessions.clear()  # a demo has one user; this keeps the state small
        self._sessions[session] = user
        response = web.json_response({"user": user})
        response.set_cookie("shop_session", session, httponly=True, samesite="Lax")
        return response

    async def me(self, request: web.Request) -> web.Response:
        user = self._sessions.get(request.cookies.get("shop_session", ""))
        if user is None:
            return web.json_response({"error": "not logged in"}, status=401)
        return web.json_response({"user": user, "orders": 7})

    async def report(self, _: web.Request) -> web.Response:
        return web.json_response({"error": "the report database is down"}, status=500)

    async def events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        )
        await response.prepare(request)
        for number in range(1, EVENTS + 1):
            data = json.dumps({"order": 1000 + number})
            try:
                await response.write(f"data: {data}\n\n".encode())
            except ConnectionResetError:
                break  # the browser refused the stream, or the page was closed
            await asyncio.sleep(EVENT_INTERVAL_S)
        return response


async def _json_object(request: web.Request) -> dict[str, object]:
    try:
        value = json.loads(await request.read())
    except (ValueError, RecursionError) as error:
        raise _unprocessable() from error
    if not isinstance(value, dict):
        raise _unprocessable()
    return value


def _unprocessable() -> web.HTTPUnprocessableEntity:
    return web.HTTPUnprocessableEntity(
        text=json.dumps({"error": "expected a JSON object"}), content_type="application/json"
    )
