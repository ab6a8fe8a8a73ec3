"""`User`: a person who has signed in to the portal, and `Identity`: what an OpenID provider says of one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """A person, as an OpenID provider describes them. `issuer` and `subject` identify the person; all else may change."""

    issuer: str
    """The provider's `iss`, such as `https://gitlab.example.net`."""
    subject: str
    """Its `sub`: unique within the issuer, and never given to another person (OpenID Connect Core, section 2)."""
    name: str
    """The name to show."""
    email: str | None = None
    """The mail address, if the provider has verified it."""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class User:
    """A person who may have API keys. Times are seconds since the epoch."""

    id: str
    """The `user_id` of the person's API keys, usage and budgets."""
    identity: Identity
    """The identity at the last sign-in."""
    created: float
    signed_in: float
    """The time of the last sign-in."""
    blocked: bool = False
    """Whether an administrator has blocked the person: requests with their keys are refused."""
