"""The owner of a home: made by the same requests as the user interface's first screen, kept in the configuration folder."""

from dataclasses import asdict, dataclass
import json
from pathlib import Path
import secrets
from typing import override

import aiohttp

from . import DevHomeError
from .client import HomeClient, HttpError
from .config_folder import write_json

FILE = "developer-login.json"
USER = "developer"
TOKEN_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Login:
    """The owner's name, password and a long-lived access token."""

    user: str
    password: str
    token: str

    @override
    def __repr__(self) -> str:
        """No secret, since it may land in a log."""
        return f"Login(user={self.user!r})"


async def log_in(url: str, folder: Path) -> Login:
    """The owner's login: read from the folder if it holds one that works, else made.

    Raises DevHomeError if the home has an owner whose password is not in the folder.
    """
    file = folder / FILE
    known = Login(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None
    timeout = aiohttp.ClientTimeout(30)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        if await has_owner(session, url):
            if known is None:
                raise DevHomeError(f"{folder} is the folder of another Home Assistant: it has no {FILE}. Choose another folder")
            if await accepted(session, url, known.token):
                return known
            login = await renewed(session, url, known)
        else:
            password = secrets.token_urlsafe(9)
            owner = {"name": "Developer", "username": USER, "password": password, "client_id": f"{url}/", "language": "en"}
            code = (await post(session, f"{url}/api/onboarding/users", json=owner))["auth_code"]
            login = Login(USER, password, await long_lived_token(session, url, code))
    write_json(file, asdict(login))
    return login


async def has_owner(session: aiohttp.ClientSession, url: str) -> bool:
    """Whether an owner was made already. Once all is done, the question itself is gone."""
    async with session.get(f"{url}/api/onboarding") as response:
        if response.status == 404:
            return True
        return any(step["step"] == "user" and step["done"] for step in await response.json())


async def accepted(session: aiohttp.ClientSession, url: str, token: str) -> bool:
    """Whether Home Assistant takes this token."""
    async with session.get(f"{url}/api/", headers={"Authorization": f"Bearer {token}"}) as response:
        return response.status == 200


async def renewed(session: aiohttp.ClientSession, url: str, known: Login) -> Login:
    """The same owner with a new token, got with the password as the login page does."""
    client = {"client_id": f"{url}/"}
    start = {**client, "handler": ["homeassistant", None], "redirect_uri": f"{url}/"}
    flow = await post(session, f"{url}/auth/login_flow", json=start)
    form = {**client, "username": known.user, "password": known.password}
    answer = await post(session, f"{url}/auth/login_flow/{flow['flow_id']}", json=form)
    if answer.get("type") != "create_entry":
        raise DevHomeError(f"{url} refuses the password of {known.user} in {FILE}")
    return Login(known.user, known.password, await long_lived_token(session, url, answer["result"]))


async def long_lived_token(session: aiohttp.ClientSession, url: str, code: str) -> str:
    """A long-lived token for an authorization code."""
    grant = {"grant_type": "authorization_code", "code": code, "client_id": f"{url}/"}
    tokens = await post(session, f"{url}/auth/token", data=grant)
    async with HomeClient(url, tokens["access_token"]) as home:
        # Its name has to be unique among the owner's.
        name = f"scripts/develop {secrets.token_hex(4)}"
        return str(await home.call("auth/long_lived_access_token", client_name=name, lifespan=TOKEN_DAYS))


async def post(
    session: aiohttp.ClientSession, url: str, *, json: object = None, data: dict[str, str] | None = None
) -> dict[str, str]:
    """POST, and the JSON answered. Raises HttpError at an error status."""
    async with session.post(url, json=json, data=data) as response:
        if response.status >= 400:
            raise HttpError(f"POST {url}", response.status, await response.text())
        answer: dict[str, str] = await response.json()
        return answer
