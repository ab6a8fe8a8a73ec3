"""The files and paths of the page of a server, and commands with wrong fields."""

from typing import Any

import pytest
from yarl import URL

from tests.support.server import served
from zeroconf_ai.server.administration.page_files import FILES

from .browser import POLICY, Browser, Site


@pytest.mark.parametrize(
    ("command", "body"),
    [
        ("keys/create", {}),
        ("keys/create", {"name": ""}),
        ("keys/create", {"name": " \u202e "}),
        ("keys/create", {"name": "x" * 101}),
        ("keys/create", {"name": ["x"]}),
        ("keys/create", {"name": "x", "labels": ["a,b"]}),
        ("keys/create", {"name": "x", "labels": "Kitchen"}),
        ("keys/create", {"name": "x", "endpoints": ["admin"]}),
        ("keys/create", {"name": "x", "parallel": 0}),
        ("keys/create", {"name": "x", "expires": 1}),
        ("keys/create", {"name": "x", "expires": 1e300}),
        ("keys/create", {"name": "x", "monthly_budget": -1}),
        ("keys/create", {"name": "x", "background": 1}),
        ("keys/update", {"key_id": "KEY", "name": ""}),
        ("keys/update", {"key_id": "KEY", "labels": [1]}),
        ("keys/create", []),
        ("keys/create", b"{"),
        ("keys/create", b'{"name": "\xff"}'),
        ("keys/create", b"[" * 2000 + b"]" * 2000),
        ("keys/enable", {"key_id": "KEY", "enabled": "yes"}),
        ("usage", {"start": "2026-02-30"}),
        ("usage", {"start": "20260101"}),
        ("usage", {"start": "2030-01-02", "end": "2030-01-01"}),
        ("usage", {"start": "1900-01-01"}),
        ("usage", {"group_by": ["moon"]}),
        ("usage", {"group_by": "day"}),
        ("requests", {"after": "x"}),
        ("requests", {"limit": 0}),
        ("requests", {"limit": True}),
        ("requests", {"outcome": "perhaps"}),
        ("requests", {"start": "now"}),
        ("requests", b'{"start": 1e999}'),
        ("requests", {"model": "x" * 513}),
        ("budgets/set", {"scope": "household", "period": "month"}),
        ("budgets/set", {"scope": "household", "period": "month", "amount": -1}),
        ("budgets/set", {"scope": "household", "period": "month", "amount": 1e10}),
        ("budgets/set", {"scope": "household", "period": "year", "amount": 1}),
        ("budgets/set", {"scope": "moon", "period": "month", "amount": 1}),
        ("budgets/set", {"scope": {}, "period": "month", "amount": 1}),
        ("budgets/set", {"scope": "key", "period": "month", "amount": 1}),
        ("budgets/set", {"scope": "household", "period": "month", "amount": 1, "action": "pay"}),
        ("budgets/set", {"scope": "household", "period": "month", "amount": 1, "thresholds": [0]}),
        ("budgets/set", {"scope": "household", "period": "month", "amount": 1, "thresholds": [True]}),
        ("budgets/set", {"scope": "household", "period": "month", "amount": 1, "thresholds": "80"}),
        ("budgets/set", {"scope": "household", "period": "month", "amount": 1, "thresholds": [50] * 11}),
        ("why", {}),
        ("why", {"text": ["Hello"]}),
        ("why", {"text": " "}),
        ("why", {"text": '{"messages": 5}'}),
        ("why", {"text": "curl http://x/v1/models"}),
        ("login", {"key": 5}),
    ],
)
async def test_administration_wrong_fields_are_told_and_change_nothing(
    owner: Browser, site: Site, command: str, body: Any
) -> None:
    if isinstance(body, dict) and body.get("key_id") == "KEY":
        body = {**body, "key_id": site.key_id}
    status, found = await owner.ask(command, body)
    assert status == 400, found
    assert found["error"]["message"]
    assert [key.name for key in site.store.keys] == ["Owner"]
    assert not len(site.store.budgets)


async def test_administration_large_bodies_are_refused(owner: Browser) -> None:
    assert (await owner.ask("why", b" " * (1024 * 1024 + 1)))[0] == 413
    assert (await owner.ask("login", b" " * 5000))[0] == 413


async def test_administration_unknown_paths_and_methods_are_errors_with_the_same_headers(owner: Browser) -> None:
    for method, path, expected in (
        ("GET", "/admin/api/keys", 405),
        ("POST", "/admin/api/session", 405),
        ("POST", "/admin/api/nothing", 404),
        ("GET", "/admin/api", 404),
        ("PUT", "/admin/api/keys", 405),
    ):
        status, _, headers = await owner.server.ask(method, path, cookies=owner.cookies)
        assert (status, headers["Content-Security-Policy"]) == (expected, POLICY), path


async def test_administration_files_of_the_page_are_served_with_its_policy(site: Site) -> None:
    status, _, headers = await site.server.ask("GET", "/admin", allow_redirects=False)
    assert (status, headers["Location"]) == (308, "/admin/")
    _, page, headers = await site.server.ask("GET", "/admin/")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert b"<zai-server>" in page
    (chart,) = (file.name for file in FILES.glob("chart-*.js"))
    for name, kind in (("page.js", "text/javascript"), (chart, "text/javascript"), ("page.css", "text/css")):
        for method in ("GET", "HEAD"):
            status, _, headers = await site.server.ask(method, f"/admin/{name}")
            assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, f"{kind}; charset=utf-8", "no-cache")
            assert headers["Content-Security-Policy"] == POLICY
            assert headers["X-Content-Type-Options"] == "nosniff"
    etag = headers["ETag"]
    assert (await site.server.ask("GET", "/admin/page.css", headers={"If-None-Match": etag}))[0] == 304
    for path in ("/admin/sessions.py", "/admin/../sessions.py", "/admin/%2e%2e/sessions.py", "/admin/files", "/administration"):
        url = URL(f"http://127.0.0.1:{site.server.port}{path}", encoded=True)
        async with site.server.session.get(url) as response:
            assert response.status == 404
    assert (await site.server.ask("POST", "/admin/"))[0] == 405


async def test_server_without_a_key_has_no_administration() -> None:
    async with served() as server:
        assert (await server.ask("POST", "/admin/api/login", json={"key": "x"}))[0] == 404
