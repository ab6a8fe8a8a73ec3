"""Who may use the portal, and what for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...accounting.users.user import Identity, User
from ...accounting.users.user_store import UserStore
from ...admin.own_keys import OwnKeysPolicy
from ...config.portal_fields import PortalSettings
from ...protocol.values import NANO, clean

_MAX_GROUP = 255
_MAX_MAIL = 254
"""Characters (RFC 5321, section 4.5.3.1.3)."""


def identity_of(settings: PortalSettings, claims: Mapping[str, Any], user_info: Mapping[str, Any]) -> Identity:
    """The person whom the checked claims of an ID token describe, and the user info besides."""
    both = {**user_info, **claims}
    names = (both.get(name) for name in ("name", "preferred_username", "nickname", "email"))
    name = next((found for found in names if isinstance(found, str) and clean(found)), claims["sub"])
    mail = next(filter(None, (_verified_mail(one) for one in (claims, user_info))), None)
    listed = both.get(settings.groups_claim)
    groups = [listed] if isinstance(listed, str) else listed if isinstance(listed, list) else []
    named = (group for group in groups if isinstance(group, str) and len(group) <= _MAX_GROUP)
    return Identity(claims["iss"], claims["sub"], name, mail, tuple(named))


def _verified_mail(claims: Mapping[str, Any]) -> str | None:
    """The mail address, if these claims say that it was verified. Some providers say so by a text."""
    mail = claims.get("email")
    if not isinstance(mail, str) or len(mail) > _MAX_MAIL or claims.get("email_verified") not in (True, "true"):
        return None
    return mail


@dataclass(frozen=True, slots=True)
class PortalPolicy:
    """Decides about people by the settings of the portal."""

    settings: PortalSettings
    users: UserStore

    def allows(self, person: Identity) -> bool:
        """Whether a person may use the portal: signed in at the provider of the settings, and in one of its lists."""
        allow = self.settings.allow
        if person.issuer.rstrip("/") != self.settings.issuer.rstrip("/"):
            return False
        domain = (person.email or "").rpartition("@")[2].lower()
        return person.subject in allow.subjects or domain in allow.domains or not allow.groups.isdisjoint(person.groups)

    async def is_active(self, user_id: str) -> bool:
        """Whether the keys of a user are valid. The portal does not judge users who have never signed in to it."""
        user = self.users.get(user_id)
        return user is None or self.allows(user.identity)

    def own_keys(self, user: User) -> OwnKeysPolicy:
        """What a user may do."""
        keys = self.settings.keys
        return OwnKeysPolicy(
            keys.limit,
            keys.models,
            keys.endpoints,
            keys.background,
            keys.home_only,
            keys.valid_days,
            keys.requests_per_minute,
            keys.tokens_per_minute,
            keys.parallel,
            None if keys.monthly_budget is None else round(keys.monthly_budget * NANO),
            frozenset({user.id} if user.blocked else ()),
        )
