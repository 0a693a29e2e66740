"""`explain --ask-upstream` predicts what Chromium does without the proxy."""

import asyncio

import pytest
from aiohttp import web

from corsproxy.core.explain.without_proxy import WithoutProxy, without_proxy
from corsproxy.core.page_call import PageCall
from corsproxy.core.policy import Limits
from corsproxy.shell.upstream.inquiry import inquire
from tests.browser import servers
from tests.browser.chromium import CorsFailure, OpenTab
from tests.policies import policy_for_url

Lines = tuple[tuple[str, str], ...]

ORIGIN = "Access-Control-Allow-Origin"
CREDENTIALS = "Access-Control-Allow-Credentials"
METHODS = "Access-Control-Allow-Methods"
HEADERS = "Access-Control-Allow-Headers"
PAGE = "{page}"

# What the upstream grants, whatever it is asked; `{page}` is the page's origin.
GRANTS: dict[str, Lines] = {
    "nothing": (),
    "anyone": ((ORIGIN, "*"),),
    "the page": ((ORIGIN, PAGE),),
    "the page with credentials": ((ORIGIN, PAGE), (CREDENTIALS, "true")),
    "another": ((ORIGIN, "https://app.example.com"),),
    "twice": ((ORIGIN, PAGE), (ORIGIN, PAGE)),
    "a slash too much": ((ORIGIN, f"{PAGE}/"),),
    "no origin": ((ORIGIN, "nonsense"),),
    "all of it": (
        (ORIGIN, PAGE),
        (CREDENTIALS, "true"),
        (METHODS, "PUT, PATCH"),
        (HEADERS, "x-a, authorization"),
    ),
    "wildcards": ((ORIGIN, "*"), (METHODS, "*"), (HEADERS, "*")),
    "wildcards with credentials": (
        (ORIGIN, PAGE),
        (CREDENTIALS, "true"),
        (METHODS, "*"),
        (HEADERS, "*"),
    ),
    "malformed methods": ((ORIGIN, "*"), (METHODS, "PUT; PATCH")),
    "malformed headers": ((ORIGIN, "*"), (METHODS, "PUT"), (HEADERS, "x a")),
}
CALLS = (
    PageCall("", ""),
    PageCall("", "", credentials=True),
    PageCall("", "", "put"),
    PageCall("", "", "patch"),
    PageCall("", "", "PATCH", credentials=True),
    PageCall("", "", headers=("X-A",)),
    PageCall("", "", headers=("Authorization",)),
    PageCall("", "", "PUT", ("X-A",), credentials=True),
)


@pytest.mark.parametrize("status", [200, 204, 404])
async def test_chromium_agrees_with_explain(open_tab: OpenTab, page_port: int, status: int) -> None:
    page = f"http://localhost:{page_port}"
    names = list(GRANTS)

    async def upstream(request: web.BaseRequest) -> web.Response:
        lines = GRANTS[names[int(request.path.split("/")[1])]]
        response = web.Response(status=status if request.method == "OPTIONS" else 200)
        for name, value in lines:
            response.headers.add(name, value.format(page=page))
        return response

    tab = await open_tab(page)
    outcomes = set()
    async with servers.serving(upstream) as port:
        url = f"http://127.0.0.1:{port}"
        for number, name in enumerate(names):
            for index, call in enumerate(CALLS):
                question = call._replace(origin=page, target=f"/{number}/{index}")
                said = await asked(url, question)
                reading = await tab.fetch(
                    f"{url}{question.target}",
                    {
                        "method": question.method,
                        "headers": dict.fromkeys(question.headers, "1"),
                        "credentials": "include" if question.credentials else "omit",
                    },
                )
                if said.obstacle is not None and "Chromium still" in said.obstacle.sentence:
                    # It warns of it as deprecated, and goes on.
                    assert reading.ok, (name, question)
                    continue
                assert reading.ok == said.allowed, (name, question, said)
                if said.obstacle is not None:
                    failure = await tab.cors_failure(f"{url}{question.target}")
                    expected = CorsFailure(said.obstacle.error, said.obstacle.parameter)
                    assert failure == expected, (name, question)
                outcomes.add(said.obstacle and said.obstacle.error)
    assert len(outcomes) >= 8


async def test_a_redirected_preflight_fails_as_explained(open_tab: OpenTab, page_port: int) -> None:
    async def upstream(request: web.BaseRequest) -> web.Response:
        grant = {ORIGIN: "*", METHODS: "PUT", "Location": "/there"}
        return web.Response(status=307 if request.method == "OPTIONS" else 200, headers=grant)

    page = f"http://localhost:{page_port}"
    tab = await open_tab(page)
    async with servers.serving(upstream) as port:
        url = f"http://127.0.0.1:{port}"
        said = await asked(url, PageCall(page, "/", "PUT"))
        assert not (await tab.fetch(f"{url}/", {"method": "PUT"})).ok
        failure = await tab.cors_failure(f"{url}/")
    assert said.obstacle is not None
    assert failure.error == said.obstacle.error


async def asked(url: str, question: PageCall) -> WithoutProxy:
    dialogue = without_proxy(policy_for_url(url, ()), question, unsafe=True)
    return await asyncio.to_thread(inquire, dialogue, Limits())
