"""`OpenIdProvider`: the provider at which people sign in, by the authorization code flow with PKCE.

OpenID Connect Core 1.0 (section 3.1), Discovery 1.0, RFC 7636 (PKCE), RFC 9207 (`iss` of the answer). It is asked when somebody
signs in, never at the start and never for a request with an API key.
"""

import asyncio
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import time
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from yarl import URL

from ...backends.bodies import read_limited
from ...config.portal_fields import WELL_KNOWN, PortalSettings, is_loopback
from ...protocol.addresses import url_parts
from ...protocol.errors import ApiError
from ...protocol.json import JSONDecodeError, loads
from ...protocol.values import clean
from .failures import Failure, SignInError
from .id_token import UnknownKeyError, checked_claims
from .sign_in import SignIn

_TIMEOUT: Final = aiohttp.ClientTimeout(total=15, connect=5)
_MAX_BYTES: Final = 512 * 1024
_KEEP_SECONDS: Final = 3600.0
"""How long the provider's description and keys are used before they are read again."""
_AGAIN_SECONDS: Final = 30.0
"""The shortest time between two reads of the keys because of an unknown one."""
_QUIET_SECONDS: Final = 5.0
"""For how long after a failure the provider is not asked again for its description."""
_MAX_KEYS: Final = 100
_PARALLEL: Final = 16
"""Sign-ins that ask the provider at a time; more are refused."""


@dataclass(frozen=True, slots=True)
class _Description:
    """What is needed of the provider's metadata (Discovery 1.0, section 3)."""

    issuer: str
    authorization: str
    token: str
    keys: str
    user_info: str | None
    names_issuer: bool
    """Whether every answer has `iss` (RFC 9207, section 3)."""
    secret_in_body: bool
    """Whether the client's secret is expected in the body instead of a header."""


class OpenIdProvider:
    """One OpenID provider. Used on one event loop."""

    def __init__(self, session: aiohttp.ClientSession, settings: PortalSettings) -> None:
        """`session` sends no cookies of others. Nothing is sent before the first sign-in."""
        self._session = session
        self._settings = settings
        self._reading = asyncio.Lock()
        self._running = 0
        self._description: tuple[float, _Description] | None = None
        self._keys: tuple[float, Sequence[Mapping[str, Any]]] | None = None
        self._failure: tuple[float, SignInError] | None = None

    async def sign_in_address(self, sign_in: SignIn, redirect: str) -> str:
        """Where the person's browser goes. `redirect`: the portal's address to which it returns. Raises SignInError."""
        description = await self._described()
        found: str = prepare_grant_uri(
            description.authorization,
            self._settings.client_id,
            "code",
            redirect_uri=redirect,
            scope=" ".join(self._settings.scopes),
            state=sign_in.state,
            nonce=sign_in.nonce,
            code_challenge=create_s256_code_challenge(sign_in.verifier),
            code_challenge_method="S256",
        )
        return found

    async def claims(
        self, sign_in: SignIn, code: str, issuer: str | None, redirect: str
    ) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Claims of the ID token and of the user info, by the code with which the browser returned.

        `issuer`: the `iss` of its address; `redirect`: as for `sign_in_address`. Raises SignInError.
        """
        if self._running >= _PARALLEL:
            raise SignInError(Failure.BUSY, "too many people sign in at a time")
        self._running += 1
        try:
            description = await self._described()
            if issuer != description.issuer and (issuer is not None or description.names_issuer):
                raise SignInError(Failure.INVALID, "another issuer has answered than the one of the sign-in")
            answer = await self._redeem(description, code, redirect, sign_in.verifier)
            access_token = answer.get("access_token")
            access_token = access_token if isinstance(access_token, str) else None
            claims = await self._checked(description, answer.get("id_token"), sign_in.nonce, access_token)
            return claims, await self._user_info(description, access_token, claims["sub"])
        finally:
            self._running -= 1

    async def _described(self) -> _Description:
        """The provider's description. Raises SignInError."""
        async with self._reading:
            if self._description is None or time.monotonic() - self._description[0] > _KEEP_SECONDS:
                self._description = time.monotonic(), await self._read_description()
            return self._description[1]

    async def _read_description(self) -> _Description:
        """Read the provider's description, at most once in some seconds while that fails. Raises SignInError."""
        if self._failure is not None and time.monotonic() - self._failure[0] < _QUIET_SECONDS:
            raise SignInError(self._failure[1].failure, str(self._failure[1]))
        try:
            found = await self._json("GET", f"{self._settings.issuer.rstrip('/')}{WELL_KNOWN}")
            return self._description_of(found)
        except SignInError as err:
            self._failure = time.monotonic(), err
            raise

    def _description_of(self, found: Mapping[str, Any]) -> _Description:
        issuer = found.get("issuer")
        if not isinstance(issuer, str) or issuer.rstrip("/") != self._settings.issuer.rstrip("/"):
            raise SignInError(Failure.INVALID, "the OpenID provider describes itself as another issuer")

        def address(name: str) -> str:
            text = found.get(name)
            if not isinstance(text, str) or not is_safe_address(text, like=self._settings.issuer):
                raise SignInError(Failure.INVALID, f"the description of the OpenID provider has no valid '{name}'")
            return text

        methods = found.get("token_endpoint_auth_methods_supported")
        methods = methods if isinstance(methods, list) else ["client_secret_basic"]
        return _Description(
            issuer,
            address("authorization_endpoint"),
            address("token_endpoint"),
            address("jwks_uri"),
            address("userinfo_endpoint") if found.get("userinfo_endpoint") is not None else None,
            found.get("authorization_response_iss_parameter_supported") is True,
            "client_secret_basic" not in methods,
        )

    async def _redeem(self, description: _Description, code: str, redirect: str, verifier: str) -> Mapping[str, Any]:
        """The tokens for a code. Raises SignInError."""
        settings = self._settings
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect, "code_verifier": verifier}
        headers = {}
        if settings.client_secret is None or description.secret_in_body:
            form["client_id"] = settings.client_id
            if settings.client_secret is not None:
                form["client_secret"] = settings.client_secret
        else:  # both are encoded first (RFC 6749, section 2.3.1)
            both = f"{quote(settings.client_id, safe='')}:{quote(settings.client_secret, safe='')}"
            headers["Authorization"] = f"Basic {b64encode(both.encode()).decode()}"
        return await self._json("POST", description.token, headers=headers, data=form)

    async def _checked(self, description: _Description, token: object, nonce: str, access_token: str | None) -> Mapping[str, Any]:
        """The claims of an ID token. If its key is unknown, the keys are read once more. Raises SignInError."""

        async def check(*, newer_than: float) -> Mapping[str, Any]:
            return checked_claims(
                token,
                await self._read_keys(description, newer_than),
                issuer=description.issuer,
                client_id=self._settings.client_id,
                nonce=nonce,
                access_token=access_token,
            )

        try:
            return await check(newer_than=_KEEP_SECONDS)
        except UnknownKeyError:
            return await check(newer_than=_AGAIN_SECONDS)

    async def _read_keys(self, description: _Description, newer_than: float) -> Sequence[Mapping[str, Any]]:
        """The provider's keys, at most `newer_than` seconds old. Raises SignInError."""
        async with self._reading:
            if self._keys is None or time.monotonic() - self._keys[0] > newer_than:
                found = (await self._json("GET", description.keys)).get("keys")
                if not isinstance(found, list):
                    raise SignInError(Failure.INVALID, "the OpenID provider publishes no keys")
                self._keys = time.monotonic(), [key for key in found[:_MAX_KEYS] if isinstance(key, dict)]
            return self._keys[1]

    async def _user_info(self, description: _Description, access_token: str | None, subject: str) -> Mapping[str, Any]:
        """What the provider says of the person besides the ID token: many name groups only here. Raises SignInError."""
        if description.user_info is None or access_token is None:
            return {}
        found = await self._json("GET", description.user_info, headers={"Authorization": f"Bearer {access_token}"})
        if found.get("sub") != subject:  # section 5.3.2: otherwise it must not be used
            raise SignInError(Failure.INVALID, "the user info is about another person than the ID token")
        return found

    async def _json(self, method: str, url: str, **options: Any) -> Mapping[str, Any]:
        """The JSON object that the provider answers. Raises SignInError."""
        host = url_parts(url)
        where = "the OpenID provider" if host is None else f"the OpenID provider at {clean(host.hostname or '')}"
        options["headers"] = {"Accept": "application/json", **options.get("headers", {})}
        try:
            async with self._session.request(
                method, URL(url, encoded=True), allow_redirects=False, timeout=_TIMEOUT, **options
            ) as response:
                status, raw = response.status, await read_limited(response, _MAX_BYTES)
        except (aiohttp.ClientError, ApiError, TimeoutError, OSError, ValueError) as err:
            raise SignInError(Failure.UNAVAILABLE, f"{where} does not answer ({type(err).__name__})") from None
        try:
            found = loads(raw)
        except JSONDecodeError:
            found = None
        if status >= 500:
            raise SignInError(Failure.UNAVAILABLE, f"{where} answers with status {status}")
        if status != 200 or not isinstance(found, dict):
            code = found.get("error") if isinstance(found, dict) else None
            said = f" ({clean(code, 60)})" if isinstance(code, str) else ""
            raise SignInError(Failure.INVALID, f"{where} answers with status {status}{said} instead of a JSON object")
        return found


def is_safe_address(url: str, *, like: str) -> bool:
    """Whether a URL has TLS, or leads to this machine without, as `like`, the issuer, does."""
    parts = url_parts(url)
    if parts is None or not parts.hostname or "@" in parts.netloc or parts.fragment:
        return False
    on_this_machine = like.startswith("http://") and is_loopback(parts.hostname)
    return parts.scheme == "https" or (on_this_machine and parts.scheme == "http")
