"""The page at the root of a separate port, which explains the server. Contains no script and no secrets."""

from html import escape

from aiohttp import hdrs, web

from ..protocol.record import Auth
from .gateway import Gateway

PORTAL_PATH = "/portal"
"""The path of the portal among the pages of a server."""
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{name}</title>
<style>body {{ font: 16px/1.6 system-ui, sans-serif; max-width: 42rem; margin: 4rem auto; padding: 0 1rem }}
pre {{ overflow-x: auto; padding: 1rem; border: 1px solid; border-radius: .5rem; opacity: .8 }}</style>
<h1>{name}</h1>
<p>An LLM provider of this network, version {version}. It is OpenAI-compatible; apps that support the ZeroConf AI protocol
discover it automatically. {key}</p>
<pre>curl {url}/chat/completions -H 'Content-Type: application/json' {header}\\
  -d '{{"messages": [{{"role": "user", "content": "Hello"}}]}}'</pre>
<p>Models: <a href="/v1/models">/v1/models</a> · Health: <a href="/v1/health">/v1/health</a> ·
Load: <a href="/v1/status">/v1/status</a>{portal}{administration}</p>
"""
_OLLAMA = "Ollama is running"
"""The text by which programs recognize an Ollama server."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


async def landing_page(
    gateway: Gateway, version: str, administration: str | None, portal: str | None, request: web.Request
) -> web.Response:
    """The page for browsers, with the address of this request in its example; for programs, what Ollama answers there.

    `administration`, `portal`: the paths of the page for administrators and of the portal; None: the server has no such page.
    """
    if "text/html" not in request.headers.get(hdrs.ACCEPT, "").casefold():
        return web.Response(text=_OLLAMA, headers={hdrs.VARY: hdrs.ACCEPT})
    locked = gateway.access.mode is Auth.TOKEN
    needed = {
        Auth.TOKEN: f"Requests need an API key. {'Ask the owner for one.' if portal is None else 'Sign in to get one.'}",
        Auth.MTLS: "Requests need a client certificate: run 'zeroconf-ai enroll' with this address.",
    }
    text = _PAGE.format(
        name=escape(gateway.name),
        version=escape(version),
        url=escape(f"{request.scheme}://{request.host}/v1"),
        key=needed.get(gateway.access.mode, "Requests need no API key."),
        portal="" if portal is None else f' · API keys: <a href="{portal}">{portal}</a>',
        administration="" if administration is None else f' · Administration: <a href="{administration}">{administration}</a>',
        header="-H 'Authorization: Bearer YOUR_KEY' " if locked else "",
    )
    headers = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff", hdrs.VARY: hdrs.ACCEPT}
    return web.Response(text=text, content_type="text/html", headers=headers)
