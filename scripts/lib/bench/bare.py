"""The least that a proxy written with aiohttp can do: every request to one upstream, every byte back as it comes."""

import sys

import aiohttp
from aiohttp import web

_DROPPED = {"connection", "content-length", "host", "transfer-encoding"}


def main() -> None:
    """`bare.py PORT UPSTREAM_PORT`."""
    port, upstream = int(sys.argv[1]), int(sys.argv[2])

    async def proxy(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _DROPPED}
        url = f"http://127.0.0.1:{upstream}{request.path_qs}"
        async with request.app[SESSION].request(request.method, url, data=body, headers=headers) as answer:
            if answer.content_length is not None:
                return web.Response(body=await answer.read(), status=answer.status, content_type=answer.content_type)
            response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.headers["Content-Type"]})
            await response.prepare(request)
            async for data in answer.content.iter_any():
                await response.write(data)
            await response.write_eof()
            return response

    async def start(app: web.Application) -> None:
        app[SESSION] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    app = web.Application(client_max_size=1 << 24)
    app.router.add_route("*", "/{path:.*}", proxy)
    app.on_startup.append(start)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


SESSION = web.AppKey("session", aiohttp.ClientSession)

if __name__ == "__main__":
    main()
