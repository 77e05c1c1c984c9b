"""Who may ask the API, from where, and how much they may send."""

from __future__ import annotations

import asyncio
import base64
import hmac
import io
import re
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import BaseRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from api_parts import BOOK, PREFIX, TOKEN, Api, serving
from quotewell.views.api import forms, gate, portfolio_routes
from quotewell.views.api.gate import MOST_SENT, Gate
from quotewell.views.api.observing import LoggedRequest
from quotewell.views.uploads import MOST_BYTES, MOST_FILES


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as one:
        yield one


@pytest.fixture
def guarded() -> Iterator[Api]:
    with serving(token=TOKEN) as one:
        yield one


def bearer(token: str = TOKEN) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def walked(routes: list[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Method and path of every route, those of included routers, too."""
    for route in routes:
        inner = getattr(getattr(route, "original_router", route), "routes", None)
        if inner:
            yield from walked(inner)
        for method in getattr(route, "methods", None) or ():
            yield method, re.sub(r"\{\w+\}", "AAPL", route.path)  # type: ignore[attr-defined]


def test_every_route_but_health_wants_the_token(guarded: Api) -> None:
    routes = {*walked(guarded.app.routes), ("GET", "/nowhere"), ("POST", "/health/x"), ("GET", "/")}
    documented = guarded.client.get(f"{PREFIX}/openapi.json", headers=bearer()).json()["paths"]
    assert len(routes) > 25
    assert {path.replace("{", "").count("/") for path in documented} <= {
        path.count("/") for _, path in routes
    }
    assert {re.sub(r"\{\w+\}", "AAPL", path) for path in documented} <= {path for _, path in routes}
    for method, path in routes - {("GET", "/health")}:
        answer = guarded.client.request(method, path)
        assert answer.status_code == 401, (method, path)
        assert [challenge.split()[0] for challenge in answer.headers.get_list("www-authenticate")] == [
            "Bearer", "Basic",
        ]  # fmt: skip
        if method != "HEAD":
            assert answer.json()["kind"] == "unauthorized"
    assert guarded.client.get("/health").status_code == 200
    assert not guarded.provider.calls


def test_the_right_token_opens_in_either_form(guarded: Api) -> None:
    basic = base64.b64encode(f"anybody:{TOKEN}".encode()).decode()
    for authorization in (f"Bearer {TOKEN}", f"bearer {TOKEN}", f"Basic {basic}"):
        answer = guarded.get("/tickers/AAPL", headers={"authorization": authorization})
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN.upper()}",
        TOKEN,
        f"Digest {TOKEN}",
        "Basic !!!",
        f"Basic {base64.b64encode(TOKEN.encode()).decode()}",
        f"Basic {base64.b64encode((TOKEN + ':').encode()).decode()}",
    ],
)
def test_anything_else_does_not(guarded: Api, authorization: str) -> None:
    assert guarded.get("/tickers/AAPL", headers={"authorization": authorization}).status_code == 401


def test_the_token_is_compared_in_constant_time(guarded: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def differ(given: bytes, known: bytes) -> bool:
        compared.append((given, known))
        return False

    monkeypatch.setattr(hmac, "compare_digest", differ)
    assert guarded.get("/tickers/AAPL", headers=bearer()).status_code == 401
    assert compared == [(TOKEN.encode(), TOKEN.encode())]


def test_the_token_is_in_no_log_error_or_metric() -> None:
    logged: list[LoggedRequest] = []
    with serving(token=TOKEN, log=logged.append) as api:
        seen = [api.get(f"/tickers/{TOKEN}?symbols={TOKEN}", headers=bearer())]
        seen += [api.get(f"/{TOKEN}", headers=bearer()), api.get("/jobs/x", headers=bearer(TOKEN + "x"))]
        seen += [api.client.get("/metrics", headers=bearer()), api.get("/openapi.json", headers=bearer())]
        for name in ("summary", "positions"):
            seen.append(api.get(f"/portfolios/{TOKEN}/{name}", headers=bearer()))
    assert len(logged) == len(seen)
    assert TOKEN not in repr(logged)
    assert TOKEN.upper() not in repr(logged).upper()
    for answer in seen[
        1:
    ]:  # the first one names the symbol that was asked for, which happens to be the token
        assert TOKEN not in answer.text + repr(answer.headers)


def test_a_key_that_opens_a_book_is_in_no_log_or_metric() -> None:
    logged: list[LoggedRequest] = []
    with serving(log=logged.append) as api:
        path = api.upload()
        key = path.rpartition("/")[2]
        api.get(f"{path}/summary")
        assert key not in repr(logged)
        assert key not in api.client.get("/metrics").text
    assert {request.route for request in logged} >= {f"{PREFIX}/portfolios/{{key}}/summary"}


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "", "192.168.0.7", "[::2]:8000"],
)
def test_on_loopback_only_loopbacks_names_are_answered(api: Api, host: str) -> None:
    for path in ("/health", f"{PREFIX}/tickers/AAPL", "/nowhere"):
        answer = api.client.get(path, headers={"host": host})
        assert (answer.status_code, answer.json()["kind"]) == (421, "host")
    assert not api.provider.calls


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "127.0.0.1:8321", "[::1]:8321", "[::1]"])
def test_loopback_has_several_names(api: Api, host: str) -> None:
    assert api.client.get("/health", headers={"host": host}).status_code == 200


def test_elsewhere_any_name_is_answered() -> None:
    with serving(token=TOKEN, hosts=None) as api:
        assert api.get("/tickers/AAPL", headers={"host": "quotes.example", **bearer()}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:9"},
        {"origin": "http://[broken"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_other_sites_pages_may_change_nothing(api: Api, headers: dict[str, str]) -> None:
    answers = [
        api.post("/cache/invalidate", json={"symbols": ["AAPL"]}, headers=headers),
        api.post("/portfolios", files={"file": ("a.csv", BOOK)}, headers=headers),
        api.client.delete(f"{PREFIX}/jobs/x", headers=headers),
    ]
    assert {answer.status_code for answer in answers} == {403}
    assert not api.uploads.all()


def test_pages_of_its_own_may(api: Api) -> None:
    headers = {"origin": "http://localhost", "sec-fetch-site": "same-origin"}
    assert api.post("/cache/invalidate", json={"symbols": ["AAPL"]}, headers=headers).status_code == 200


def test_no_answer_lets_another_origin_read_it(api: Api) -> None:
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    asked = [
        api.get("/tickers/AAPL", headers=headers),
        api.client.options(f"{PREFIX}/cache/refresh", headers=headers),
    ]
    for answer in asked:
        assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert asked[1].status_code == 405


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"host": "evil.example"}, {}])
def test_a_websocket_of_another_site_is_refused(headers: dict[str, str]) -> None:
    token = TOKEN if not headers else None
    with serving(token=token) as api:

        @api.app.websocket("/live")
        async def live(socket: WebSocket) -> None:
            await socket.accept()
            await socket.close()

        right = {"host": "localhost", **(bearer() if token else {})}
        wrong = right | headers if headers else {"host": "localhost"}
        with pytest.raises(WebSocketDisconnect), api.client.websocket_connect("/live", headers=wrong):
            raise AssertionError("it was opened")
        with api.client.websocket_connect("/live", headers=right):
            pass  # the control


async def pieces(n: int, size: int = 65_536) -> AsyncIterator[bytes]:
    for _ in range(n):
        yield b"x" * size


@pytest.mark.parametrize(
    ("path", "most"), [("/cache/refresh", MOST_SENT), ("/portfolios", MOST_BYTES + MOST_SENT)]
)
def test_a_body_that_says_that_it_is_too_large_is_not_read(api: Api, path: str, most: int) -> None:
    read = 0

    async def scenario() -> int:
        async def receive() -> dict[str, Any]:
            nonlocal read
            read += 1
            return {"type": "http.request", "body": b"", "more_body": True}

        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "http_version": "1.1", "method": "POST", "path": PREFIX + path,
            "query_string": b"", "root_path": "", "scheme": "http",
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 1),
            "headers": [(b"host", b"localhost"), (b"content-length", str(most + 1).encode())],
        }  # fmt: skip
        await api.app(scope, receive, send)
        status: int = sent[0]["status"]
        return status

    assert asyncio.run(scenario()) == 413
    assert read == 0


@pytest.mark.parametrize(("path", "most"), [("/cache/refresh", MOST_SENT), ("/portfolios", 2**20)])
def test_a_body_in_pieces_is_read_no_further_than_allowed(
    api: Api, monkeypatch: pytest.MonkeyPatch, path: str, most: int
) -> None:
    monkeypatch.setattr(gate, "_UPLOADED", most)
    sent = 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        async for piece in pieces(1_000):
            sent += len(piece)
            yield piece

    async def scenario() -> httpx.Response:
        transport = httpx.ASGITransport(app=api.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            headers = {
                "content-type": "multipart/form-data; boundary=b"
                if path == "/portfolios"
                else "application/json"
            }
            return await client.post(PREFIX + path, content=counted(), headers=headers)

    answer = asyncio.run(scenario())
    assert (answer.status_code, answer.json()["kind"]) == (413, "too_large")
    assert sent <= most + 2 * 65_536


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "9" * 40, ""])
def test_a_length_that_is_no_number_is_refused(api: Api, length: str) -> None:
    answer = api.client.post(f"{PREFIX}/cache/refresh", headers={"content-length": length})
    assert answer.status_code in (400, 413)


def test_only_so_many_uploads_are_held_in_memory_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portfolio_routes, "_MOST_UPLOADS", 1)
    with serving() as api:

        async def scenario() -> tuple[int, int, int]:
            begun, go_on = asyncio.Event(), asyncio.Event()

            async def slow() -> AsyncIterator[bytes]:
                yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
                begun.set()
                await go_on.wait()
                yield BOOK + b"\r\n--b--\r\n"

            transport = httpx.ASGITransport(app=api.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                headers = {"content-type": "multipart/form-data; boundary=b"}
                path = f"{PREFIX}/portfolios"
                first = asyncio.create_task(client.post(path, content=slow(), headers=headers))
                await begun.wait()
                refused = await client.post(path, files={"file": ("b.csv", BOOK)})
                assert refused.headers["retry-after"] == "1"
                go_on.set()
                taken = await first
                again = await client.post(path, files={"file": ("c.csv", BOOK)})
            return taken.status_code, refused.status_code, again.status_code

        assert asyncio.run(scenario()) == (201, 503, 201)


def test_a_zip_bomb_is_not_unpacked(api: Api) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", b"<Types/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"<c/>" * 60_000_000)
    assert len(packed.getvalue()) < 2**20
    answer = api.post("/portfolios", files={"file": ("positions.xlsx", packed.getvalue())})
    assert (answer.status_code, answer.json()["kind"]) == (422, "import")
    assert not api.uploads.all()


def test_too_many_files_are_refused(api: Api) -> None:
    files = [("file", (f"{n}.csv", BOOK)) for n in range(MOST_FILES + 1)]
    assert api.post("/portfolios", files=files).status_code == 400


@pytest.mark.parametrize(
    "content_type", ["text/csv", "multipart/form-data", "application/x-www-form-urlencoded"]
)
def test_what_is_no_form_is_refused(api: Api, content_type: str) -> None:
    answer = api.post("/portfolios", content=BOOK, headers={"content-type": content_type})
    assert answer.status_code in (400, 415)
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_upload_leaves_nothing_on_the_disk(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a file was made")

    monkeypatch.setattr("tempfile.TemporaryFile", refused)
    monkeypatch.setattr("tempfile._TemporaryFileWrapper", refused)
    rows = b"".join(b"AAPL,%d,190\n" % n for n in range(100_000))
    large = {"file": ("large.csv", b"symbol,quantity,price\n" + rows)}
    answer = api.post("/portfolios", files=large)
    assert answer.status_code == 201
    assert answer.json()["rows"] == 100_000
    monkeypatch.setattr(forms._InMemory, "spool_max_size", 2**20)
    assert api.post("/portfolios", files=large).status_code == 500  # the control


@pytest.mark.parametrize(
    "path",
    ["/portfolios/../../etc/passwd", "/portfolios/..%2f..%2fetc%2fpasswd", "/tickers/..%2f..%2fetc%2fpasswd"],
)
def test_no_path_leads_out(api: Api, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: object, **__: object) -> None:
        raise AssertionError("something was opened")

    monkeypatch.setattr(Path, "open", opened)
    answer = api.get(path)
    assert answer.status_code in (404, 422)


@pytest.mark.parametrize(
    "path", ["/tickers/AAPL%0d%0aX-Injected:%201", "/portfolios?limit=1&x=%0d%0aX-Injected:%201"]
)
def test_nothing_that_is_asked_becomes_a_header(api: Api, path: str) -> None:
    for name in ("a.csv", "b.csv"):
        api.upload(name=name)
    answer = api.get(path)
    assert "x-injected" not in answer.headers
    assert not re.search(r"[\r\n]", "".join(answer.headers.values()))


def test_lifespan_and_unknown_scopes_pass() -> None:
    passed: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope["type"])

    asyncio.run(Gate(app, token=TOKEN, hosts=())({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert passed == ["lifespan"]
