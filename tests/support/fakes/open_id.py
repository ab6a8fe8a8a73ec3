"""An OpenID provider whose answers a test can spoil: everything else is as the specification says, PKCE included."""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
import hashlib
import secrets
import time
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from joserfc import jwk, jws
import orjson
from yarl import URL

CLIENT_ID = "portal client"
CLIENT_SECRET = "p@ss:word+1"
"""With characters that must be encoded in a header (RFC 6749, section 2.3.1)."""

type Claims = dict[str, Any]


@cache
def new_key(kid: str = "first", algorithm: str = "RS256", number: int = 0) -> jwk.Key:
    """A private key; another one for each number. They are made once, which takes a third of a second."""
    parameters: Any = {"kid": kid, "use": "sig", "alg": algorithm}
    if algorithm.startswith("ES"):
        return jwk.generate_key("EC", "P-256", parameters)
    if algorithm == "Ed25519":
        return jwk.generate_key("OKP", "Ed25519", parameters)
    return jwk.generate_key("RSA", 2048, parameters)


@dataclass
class FakeOpenId:
    """An OpenID provider on loopback. Change its fields to spoil what it says."""

    port: int = 0
    key: jwk.Key = field(default_factory=new_key)
    """Signs ID tokens."""
    published: list[dict[str, Any]] | None = None
    """Its keys; None: `key`."""
    header: dict[str, Any] = field(default_factory=dict)
    """Replaces fields of the ID token's header; None removes one."""
    claims: Claims = field(default_factory=dict)
    """Replaces claims of the ID token; None removes one."""
    user_info: Claims | None = None
    """Replaces the user info."""
    person: Claims = field(
        default_factory=lambda: {"sub": "ada", "name": "Ada", "email": "ada@example.net", "email_verified": True}
    )
    metadata: dict[str, Any] = field(default_factory=dict)
    """Replaces fields of its description."""
    answer: dict[str, Any] = field(default_factory=dict)
    """Replaces parameters with which the browser returns; None removes one."""
    sign: Callable[[dict[str, Any], bytes], str] | None = None
    """Makes the ID token of a header and a payload; None: with `key`."""
    token: dict[str, Any] = field(default_factory=dict)
    """Replaces fields of the token response."""
    down: bool = False
    """Whether it answers with 503."""
    redirects: bool = False
    """Whether it answers with a redirect to somewhere else."""
    asked: list[str] = field(default_factory=list)
    """The paths that the portal asked for."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        """Its `iss`."""
        return f"http://127.0.0.1:{self.port}"

    def return_address(self, sign_in_address: str) -> str:
        """Where the browser of a person who consents is sent, for the address to which the portal sent it."""
        asked = dict(URL(sign_in_address).query)
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert "openid" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        given = {"code": code, "state": asked["state"], "iss": self.issuer, **self.answer}
        sent = {name: value for name, value in given.items() if value is not None}
        return str(URL(asked["redirect_uri"]).update_query(sent))

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Answer."""
        self.asked.append(request.path)
        if self.down:
            return web.json_response({"error": "temporarily_unavailable"}, status=503)
        if self.redirects:
            return web.Response(status=302, headers={"Location": "http://127.0.0.1:9/"})
        answers = {"/.well-known/openid-configuration": self._describe, "/keys": self._keys, "/user-info": self._info}
        if request.path == "/token":
            return await self._redeem(request)
        return web.json_response(answers[request.path]())

    def _describe(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize?tenant=1",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/user-info",
            "authorization_response_iss_parameter_supported": True,
            **self.metadata,
        }

    def _keys(self) -> dict[str, Any]:
        return {"keys": [self.key.as_dict(private=False)] if self.published is None else self.published}

    def _info(self) -> Claims:
        return self.person if self.user_info is None else self.user_info

    async def _redeem(self, request: web.Request) -> web.Response:
        form = await request.post()
        given = request.headers.get("Authorization")
        if given is not None:
            login, _, password = b64decode(given.removeprefix("Basic ")).decode().partition(":")
            client = unquote(login), unquote(password)
        else:
            client = str(form.get("client_id")), str(form.get("client_secret"))
        asked = self.codes.pop(str(form.get("code")), None)
        challenge = urlsafe_b64encode(hashlib.sha256(str(form.get("code_verifier")).encode()).digest()).decode().rstrip("=")
        if client != (CLIENT_ID, CLIENT_SECRET):
            return web.json_response({"error": "invalid_client"}, status=401)
        if asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != form.get("redirect_uri"):
            return web.json_response({"error": "invalid_grant"}, status=400)
        access_token = secrets.token_urlsafe(16)
        now = int(time.time())
        usual = {"iss": self.issuer, "aud": CLIENT_ID, "nonce": asked["nonce"], "iat": now, "exp": now + 300, **self.person}
        claims = {name: value for name, value in {**usual, **self.claims}.items() if value is not None}
        algorithm = self.key.as_dict(private=False).get("alg", "RS256")
        header = {"alg": algorithm, "kid": self.key.kid, **self.header}
        header = {name: value for name, value in header.items() if value is not None}
        sign = self.sign or self._sign
        made = {"access_token": access_token, "token_type": "Bearer", "id_token": sign(header, orjson.dumps(claims))}
        return web.json_response({**made, **self.token})

    def _sign(self, header: dict[str, Any], payload: bytes) -> str:
        return jws.serialize_compact(header, payload, self.key, algorithms=[header["alg"]])


@asynccontextmanager
async def open_id_provider() -> AsyncIterator[FakeOpenId]:
    """A provider that runs inside the block."""
    fake = FakeOpenId()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        fake.port = runner.addresses[0][1]
        yield fake
    finally:
        await runner.cleanup()
