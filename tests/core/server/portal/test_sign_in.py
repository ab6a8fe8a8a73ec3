"""Signing in to the portal: what is checked of the answers of an OpenID provider."""

from base64 import urlsafe_b64encode
from collections.abc import Callable
import hashlib
import hmac
import logging
import time
from typing import Any

from joserfc import jws
from joserfc.jwk import RSAKey
import pytest
from yarl import URL

from tests.support.fakes.open_id import CLIENT_ID, CLIENT_SECRET, FakeOpenId, new_key
from zeroconf_ai.server.portal.portal import CALLBACK, PATH, SESSION_COOKIE, SIGN_IN_COOKIE
from zeroconf_ai.server.portal.sign_in import LIFETIME

from .conftest import PUBLIC, Open, Site

NOW = int(time.time())


def _b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _unsigned(header: dict[str, Any], payload: bytes) -> str:
    return f"{_b64(b'{"alg":"none"}')}.{_b64(payload)}."


def _hmac_by(secret: bytes) -> Callable[[dict[str, Any], bytes], str]:
    def sign(header: dict[str, Any], payload: bytes) -> str:
        kid = header["kid"]
        signed = f"{_b64(f'{{"alg":"HS256","kid":"{kid}"}}'.encode())}.{_b64(payload)}"
        return f"{signed}.{_b64(hmac.digest(secret, signed.encode(), hashlib.sha256))}"

    return sign


def _by_public_key(fake: FakeOpenId) -> None:
    """HS256 with the public key as its secret: what everybody can make."""
    assert isinstance(fake.key, RSAKey)
    fake.sign = _hmac_by(fake.key.as_pem(private=False))


def _by_client_secret(fake: FakeOpenId) -> None:
    fake.sign = _hmac_by(CLIENT_SECRET.encode())


def _by_own_key(fake: FakeOpenId) -> None:
    """A key that comes with the token."""
    own = new_key(number=1)
    fake.sign = lambda header, payload: jws.serialize_compact(
        {**header, "jwk": own.as_dict(private=False)}, payload, own, algorithms=["RS256"]
    )


def _two_keys(fake: FakeOpenId) -> None:
    fake.header, fake.published = {"kid": None}, [fake.key.as_dict(private=False), new_key("second").as_dict(private=False)]


def _claims(**claims: Any) -> Callable[[FakeOpenId], None]:
    return lambda fake: fake.claims.update(claims)


def _set(**fields: Any) -> Callable[[FakeOpenId], None]:
    def change(fake: FakeOpenId) -> None:
        for name, value in fields.items():
            setattr(fake, name, value)

    return change


INVALID: dict[str, Callable[[FakeOpenId], None]] = {
    "another issuer": _claims(iss="https://evil.example"),
    "issuer in a list": lambda fake: fake.claims.update(iss=[fake.issuer]),
    "no issuer": _claims(iss=None),
    "another audience": _claims(aud="another client"),
    "no audience": _claims(aud=None),
    "audience of numbers": _claims(aud=[1]),
    "several audiences without azp": _claims(aud=[CLIENT_ID, "another client"]),
    "several audiences and another azp": _claims(aud=[CLIENT_ID, "another client"], azp="another client"),
    "another azp": _claims(azp="another client"),
    "another nonce": _claims(nonce="guessed"),
    "no nonce": _claims(nonce=None),
    "expired": _claims(exp=NOW - 120),
    "no expiry": _claims(exp=None),
    "expiry as text": _claims(exp="never"),
    "no time of issue": _claims(iat=None),
    "issued in the future": _claims(iat=NOW + 3600),
    "not valid yet": _claims(nbf=NOW + 3600),
    "no subject": _claims(sub=None),
    "subject as number": _claims(sub=1),
    "empty subject": _claims(sub=""),
    "subject too long": _claims(sub="a" * 256),
    "at_hash of another token": _claims(at_hash="AAAAAAAAAAAAAAAAAAAAAA"),
    "alg none": _set(sign=_unsigned),
    "HS256 by the public key": _by_public_key,
    "HS256 by the client secret": _by_client_secret,
    "key in the header": _by_own_key,
    "key that is not published": _set(published=[new_key(number=1).as_dict(private=False)]),
    "other kid": _set(header={"kid": "second"}),
    "several keys and no kid": _two_keys,
    "key for encryption": lambda fake: _set(published=[{**fake.key.as_dict(private=False), "use": "enc"}])(fake),
    "key of another type": _set(published=[new_key(algorithm="ES256").as_dict(private=False)]),
    "symmetric key": _set(published=[{"kty": "oct", "k": "AAAA", "kid": "first"}]),
    "broken key": _set(published=[{"kty": "RSA", "n": "A" * 400, "e": "!", "kid": "first"}]),
    "short key": lambda fake: _set(published=[{**fake.key.as_dict(private=False), "n": "A" * 200}])(fake),
    "keys as text": _set(published="none"),
    "no ID token": _set(token={"id_token": None}),
    "ID token as number": _set(token={"id_token": 7}),
    "ID token of five parts": _set(token={"id_token": "a.b.c.d.e"}),
    "ID token that is no token": _set(token={"id_token": "é"}),
    "user info of another person": _set(user_info={"sub": "bob", "groups": ["ai-users"]}),
    "user info without subject": _set(user_info={"groups": ["ai-users"]}),
    "iss of another provider": _set(answer={"iss": "https://evil.example"}),
    "no iss although promised": _set(answer={"iss": None}),
    "no code": _set(answer={"code": None}),
    "another code": _set(answer={"code": "guessed"}),
    "code too long": _set(answer={"code": "a" * 5000}),
    "other description": _set(metadata={"issuer": "https://evil.example"}),
    "token address without TLS": _set(metadata={"token_endpoint": "http://192.0.2.1/token"}),
    "token address of a script": _set(metadata={"authorization_endpoint": "javascript:alert(1)"}),
    "keys in a file": _set(metadata={"jwks_uri": "file:///etc/passwd"}),
    "redirect": _set(redirects=True),
}


async def test_sign_in_with_an_answer_that_fails_a_check_is_refused(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    let_in = []
    for name, spoil in INVALID.items():
        site.begin_anew()
        spoil(site.provider)
        caplog.clear()
        browser = site.browser()
        response = await browser.get(f"{PATH}/login")
        if SIGN_IN_COOKIE in browser.cookies:
            response = await browser.get(site.provider.return_address(response.headers["Location"]))
        told = [record.levelno for record in caplog.records if "Nobody signed in" in record.message]
        if (
            (response.status, response.headers.get("Location")) != (303, f"{PUBLIC}{PATH}/#invalid")
            or browser.cookies
            or list(site.store.users)
            or told != [logging.WARNING]
            or CLIENT_SECRET in caplog.text
        ):
            let_in.append((name, response.status, response.headers.get("Location"), caplog.text))
    assert not let_in


VALID: dict[str, Callable[[FakeOpenId], None]] = {
    "RS256": _set(),
    "PS256": _set(key=new_key(algorithm="PS256")),
    "ES256": _set(key=new_key(algorithm="ES256")),
    "Ed25519": _set(key=new_key(algorithm="Ed25519")),
    "one key and no kid": _set(header={"kid": None}),
    "audiences with azp": _claims(aud=[CLIENT_ID, "another client"], azp=CLIENT_ID),
    "clock behind": _claims(iat=NOW + 30, nbf=NOW + 30),
    "secret in the body": _set(metadata={"token_endpoint_auth_methods_supported": ["client_secret_post"]}),
    "no user info": _set(metadata={"userinfo_endpoint": None}),
    "no iss and none promised": _set(answer={"iss": None}, metadata={"authorization_response_iss_parameter_supported": False}),
}


async def test_sign_in_with_a_valid_answer_succeeds(site: Site) -> None:
    for name, vary in VALID.items():
        site.begin_anew()
        vary(site.provider)
        browser = await site.enter()
        assert await browser.session() == (200, {"name": "Ada", "records": True, "allowed": True}), name


async def test_sign_in_sends_only_what_the_flow_needs(site: Site) -> None:
    browser = site.browser()
    address = URL(await site.go_to_provider(browser))
    assert address.path == "/authorize"
    asked = dict(address.query)
    assert asked.pop("tenant") == "1"  # what the provider's address has already
    assert asked["redirect_uri"] == f"{PUBLIC}{CALLBACK}"  # whatever host the request names
    assert asked["scope"] == "openid profile email"
    assert sorted(asked) == [
        "client_id",
        "code_challenge",
        "code_challenge_method",
        "nonce",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
    ]
    others = dict(URL(await site.go_to_provider(site.browser())).query)
    assert not {asked[name] for name in ("state", "nonce", "code_challenge")} & set(others.values())


@pytest.mark.parametrize("name", [SIGN_IN_COOKIE, SESSION_COOKIE])
async def test_cookies_are_for_this_host_by_tls_and_not_for_scripts(site: Site, name: str) -> None:
    browser = await site.enter()
    if name == SIGN_IN_COOKIE:
        await site.go_to_provider(browser)
    found = browser.attributes[name]
    assert name.startswith("__Host-")
    assert (found["secure"], found["httponly"], found["samesite"]) == (True, True, "Lax")
    assert (found["path"], found["domain"]) == ("/", "")
    assert int(found["max-age"]) == (LIFETIME if name == SIGN_IN_COOKIE else 12 * 3600)


async def test_return_to_another_browser_is_refused(site: Site) -> None:
    address = site.provider.return_address(await site.go_to_provider(site.browser()))
    other = site.browser()
    assert (await other.get(address)).headers["Location"] == f"{PUBLIC}{PATH}/#expired"
    await site.go_to_provider(other)  # with a sign-in of its own on the way
    assert (await other.get(address)).headers["Location"] == f"{PUBLIC}{PATH}/#expired"
    assert "/token" not in site.provider.asked


async def test_return_twice_is_refused(site: Site) -> None:
    browser = site.browser()
    address = site.provider.return_address(await site.go_to_provider(browser))
    assert (await browser.get(address)).headers["Location"] == f"{PUBLIC}{PATH}/"
    assert (await browser.get(address)).headers["Location"] == f"{PUBLIC}{PATH}/#expired"


async def test_return_too_late_is_refused(site: Site) -> None:
    browser = site.browser()
    address = site.provider.return_address(await site.go_to_provider(browser))
    begun, _, secret = browser.cookies[SIGN_IN_COOKIE].partition(".")
    browser.cookies[SIGN_IN_COOKIE] = f"{int(begun) - LIFETIME - 5}.{secret}"
    assert (await browser.get(address)).headers["Location"] == f"{PUBLIC}{PATH}/#expired"


async def test_return_with_a_made_up_cookie_is_refused(site: Site) -> None:
    for cookie in ("", ".", "1", "x.y", "1_0.abc", f"{NOW}.", f"{NOW}.{'a' * 200}", f"{NOW + 100}.abc"):
        browser = site.browser()
        browser.cookies[SIGN_IN_COOKIE] = cookie
        response = await browser.get(f"{CALLBACK}?code=a&state=")
        assert response.headers["Location"] == f"{PUBLIC}{PATH}/#expired", cookie


async def test_refusal_of_the_provider_is_told(site: Site) -> None:
    browser = site.browser()
    site.provider.answer = {"code": None, "error": "access_denied", "error_description": "<script>"}
    assert (await site.sign_in(browser))[1] == f"{PUBLIC}{PATH}/#denied"


async def test_new_key_of_the_provider_is_read_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.enter()
    site.provider.key = new_key("second")
    assert (await site.sign_in())[1].endswith("#invalid")  # the keys were read a moment ago
    monkeypatch.setattr("zeroconf_ai.server.portal.open_id._AGAIN_SECONDS", 0.0)
    await site.enter()
    assert site.provider.asked.count("/keys") == 2
    assert site.provider.asked.count("/.well-known/openid-configuration") == 1


async def test_provider_that_is_down_is_told_and_keys_work(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = await site.enter()
    secret = (await site.new_key(browser))["key"]
    address = site.provider.return_address(await site.go_to_provider(browser))
    site.provider.down = True
    assert (await browser.get(address)).headers["Location"] == f"{PUBLIC}{PATH}/#unavailable"
    assert await site.chat(secret) == (200, None)
    assert (await browser.send("keys"))[0] == 200  # the session of the person goes on
    asked = len(site.provider.asked)
    assert await site.chat(secret) == (200, None)
    assert len(site.provider.asked) == asked


async def test_provider_that_is_down_from_the_start_is_not_asked_by_each_browser(site: Site) -> None:
    site.provider.down = True
    for _ in range(5):
        response = await site.browser().get(f"{PATH}/login")
        assert response.headers["Location"] == f"{PUBLIC}{PATH}/#unavailable"
    assert len(site.provider.asked) == 1


async def test_many_failed_sign_ins_of_an_address_must_wait(site: Site) -> None:
    site.provider.claims = {"nonce": "guessed"}
    places = [(await site.sign_in())[1].partition("#")[2] for _ in range(11)]
    assert places == ["invalid"] * 11
    response = await site.browser().get(f"{PATH}/login")
    assert response.headers["Location"] == f"{PUBLIC}{PATH}/#busy"


async def test_sign_in_replaces_the_session_of_the_browser(site: Site) -> None:
    browser = await site.enter()
    former = dict(browser.cookies)
    await site.sign_in(browser)
    assert browser.cookies[SESSION_COOKIE] != former[SESSION_COOKIE]
    browser.cookies = former
    assert (await browser.session())[0] == 401


@pytest.mark.parametrize("address", [f"{PATH}/login", f"{CALLBACK}?code=a&state=b"])
async def test_sign_in_by_another_method_is_refused(site: Site, address: str) -> None:
    status, found, _ = await site.server.ask("POST", address)
    assert (status, found["error"]["code"]) == (405, "method_not_allowed")


async def test_issuer_with_and_without_a_last_slash_is_the_same(open_site: Open) -> None:
    site = await open_site()
    site.provider.metadata = {"issuer": f"{site.provider.issuer}/"}
    site.provider.claims = {"iss": f"{site.provider.issuer}/"}
    site.provider.answer = {"iss": f"{site.provider.issuer}/"}
    await site.enter()
