"""The demo's API: what a shop answers, and not a word about CORS."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from corsproxy.demo.observations import Observations
from corsproxy.demo.shop import EVENTS, Shop

Client = TestClient[web.Request, web.Application]


@pytest.fixture
async def shop(aiohttp_client: AiohttpClient) -> Client:
    return await aiohttp_client(Shop().application(Observations()))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/products", 200),
        ("GET", "/api/products/2", 200),
        ("GET", "/api/products/999", 404),
        ("GET", "/api/prices", 200),
        ("GET", "/api/report", 500),
        ("GET", "/api/me", 401),
        ("DELETE", "/api/cart/1", 200),
        ("OPTIONS", "/api/cart/1", 405),
        ("GET", "/elsewhere", 404),
    ],
)
async def test_nothing_it_sends_is_about_cors(
    shop: Client, method: str, path: str, status: int
) -> None:
    origin = {"Origin": "http://localhost:1"}
    async with shop.request(method, path, headers=origin) as response:
        assert response.status == status
        assert not [name for name in response.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/api/cart", 201), ("PUT", "/api/cart/1", 200), ("PATCH", "/api/cart/1", 200)],
)
async def test_the_sent_body_is_returned(shop: Client, method: str, path: str, status: int) -> None:
    async with shop.request(method, path, json={"quantity": 3}) as response:
        assert response.status == status
        assert (await response.json())["quantity"] == 3


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"{", b"[" * 500])
async def test_a_body_other_than_a_json_object_is_refused(shop: Client, body: bytes) -> None:
    async with shop.post("/api/cart", data=body) as response:
        assert response.status == 422
        assert response.content_type == "application/json"


async def test_a_large_body_is_refused(shop: Client) -> None:
    async with shop.post("/api/cart", data=b"x" * 100_000) as response:
        assert response.status == 413


async def test_a_session_is_a_cookie_that_no_script_sees(shop: Client) -> None:
    async with shop.post("/api/login", json={"user": "ada"}) as response:
        assert "HttpOnly" in response.headers["Set-Cookie"]
        cookie = {"Cookie": response.headers["Set-Cookie"].partition(";")[0]}
    async with shop.get("/api/me", headers=cookie) as response:
        assert await response.json() == {"user": "ada", "orders": 7}


@pytest.mark.parametrize("user", ["", None, 1])
async def test_a_login_needs_a_user(shop: Client, user: object) -> None:
    async with shop.post("/api/login", json={"user": user}) as response:
        assert response.status == 422


async def test_prices_come_in_the_currency_of_the_header(shop: Client) -> None:
    async with shop.get("/api/prices", headers={"X-Currency": "USD"}) as response:
        assert (await response.json())["currency"] == "USD"
    async with shop.get("/api/prices", headers={"X-Currency": "?"}) as response:
        assert response.status == 422


async def test_events_end(shop: Client) -> None:
    async with shop.get("/api/events") as response:
        assert response.content_type == "text/event-stream"
        assert (await response.text()).count("data: ") == EVENTS


async def test_every_answer_is_observed(aiohttp_client: AiohttpClient) -> None:
    observations = Observations()
    shop = await aiohttp_client(Shop().application(observations))
    async with shop.options("/api/cart", headers={"Origin": "http://localhost:1"}):
        pass
    entry = await anext(observations.follow())
    assert entry == {
        "seq": 1,
        "where": "api",
        "method": "OPTIONS",
        "path": "/api/cart",
        "origin": "http://localhost:1",
        "status": 405,
    }
