"""The steps that get a client certificate of a provider, by a one-time code or by the approval of its owner."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Final

import voluptuous as vol

from homeassistant.config_entries import ConfigFlow, ConfigFlowResult
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.selector import TextSelector

from ..certificates import async_get_certificates
from ..core.backends.base import Endpoint
from ..core.presence.enrolment import Enroller, Pending, look_at
from ..core.presence.enrolment_wire import (
    CodeRefusedError,
    EnrolmentError,
    PinChangedError,
    RefusedByOwnerError,
    RequestOverError,
)
from ..core.presence.own_certificates import OwnCertificate
from ..core.protocol.errors import ApiError
from ..core.protocol.pairing import CodeError
from ..markdown import MarkdownFlow, code
from .probe import UNIQUE_ID_MISMATCH, ProbedProvider, Problem, probe_endpoint, problem_of, reason_of
from .provider_schemas import NO_FIELDS

ENROLL_CODE_INVALID: Final = "enroll_code_invalid"
ENROLL_CODE_WRONG: Final = "enroll_code_wrong"
ENROLL_FAILED: Final = "enroll_failed"
ENROLL_OVER: Final = "enroll_over"
ENROLL_PENDING: Final = "enroll_pending"
ENROLL_PIN_CHANGED: Final = "enroll_pin_changed"
ENROLL_REFUSED: Final = "enroll_refused"

_CONF_CODE: Final = "code"
_CODE = vol.Schema({vol.Optional(_CONF_CODE): TextSelector()})


@dataclass(frozen=True, slots=True)
class EnrolTarget:
    """The provider to enrol with."""

    base_url: str
    name: str
    pin: str | None = None
    """The fingerprint that its certificate must have; None: it is not known yet."""
    id: str | None = None
    """The id that it must have; None: any."""
    models: tuple[str, ...] = ()
    """The advertised models."""


class EnrollFlow(MarkdownFlow[ConfigFlowResult], ConfigFlow):
    """The steps within the integration's flow."""

    _target: EnrolTarget
    _enroller: Enroller | None = None
    _pending: Pending | None = None

    @abstractmethod
    async def _on_enrolled(self, held: OwnCertificate, found: ProbedProvider) -> ConfigFlowResult:
        """Create or update the entry of a provider that has given a certificate."""

    async def _check_target(self, provider_id: str) -> None:
        """Raise AbortFlow if the provider must not be enrolled with, because it is configured already."""

    async def _enroll(self, target: EnrolTarget) -> ConfigFlowResult:
        """Begin to enrol with a provider."""
        self._target, self._enroller, self._pending = target, None, None
        return await self.async_step_enroll()

    async def async_step_enroll(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the one-time code; without one, the provider's owner is asked."""
        errors: dict[str, str] = {}
        reason = ""
        if user_input is not None:
            text = user_input.get(_CONF_CODE, "").strip()
            try:
                enroller = await self._look()
                if text:
                    return await self._use(await enroller.with_code(text))
                self._enroller, self._pending = enroller, await enroller.ask_owner()
            except (CodeError, ApiError, Problem) as err:
                problem = _problem(err)
                errors, reason = {"base": problem.key}, problem.placeholders["reason"]
            else:
                return await self.async_step_enroll_owner()
        return self.async_show_form(
            step_id="enroll", data_schema=_CODE, errors=errors, description_placeholders=self._texts(reason), last_step=False
        )

    async def async_step_enroll_owner(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show the digits that a person compares with those of the provider, until its owner has decided."""
        assert self._enroller is not None
        assert self._pending is not None
        errors: dict[str, str] = {}
        reason = ""
        if user_input is not None:
            try:
                decided = await self._enroller.decision(self._pending)
                if decided is not None:
                    return await self._use(decided)
                errors = {"base": ENROLL_PENDING}
            except (ApiError, Problem) as err:
                problem = _problem(err)
                errors, reason = {"base": problem.key}, problem.placeholders["reason"]
        digits = self._pending.digits
        return self.async_show_form(
            step_id="enroll_owner",
            data_schema=NO_FIELDS,
            errors=errors,
            description_placeholders={**self._texts(reason), "digits": f"{digits[:3]} {digits[3:]}"},
        )

    async def _look(self) -> Enroller:
        """Look at the provider's certificate and id. Raises ApiError, Problem for another provider, AbortFlow."""
        target, session = self._target, async_get_clientsession(self.hass)
        provider = await look_at(session, target.base_url, name=target.name, pin=target.pin)
        if target.id is not None and provider.id != target.id:
            raise Problem(UNIQUE_ID_MISMATCH)
        await self._check_target(provider.id)
        return Enroller(session, provider, self.hass.config.location_name or "Home Assistant")

    async def _use(self, enrolled: Any) -> ConfigFlowResult:
        """Store the certificate of a provider that can be used with it. Raises Problem."""
        certificates = await async_get_certificates(self.hass)
        try:
            held = await certificates.add(enrolled)
        except OSError as err:
            raise Problem(ENROLL_FAILED, f"the certificate cannot be stored: {err.strerror or err}") from err
        endpoint = Endpoint(held.enrolment.base_url, ssl=held.context)
        session = async_get_clientsession(self.hass)
        found = await probe_endpoint(session, endpoint, self._target.name, advertised=self._target.models)
        return await self._on_enrolled(held, found)

    def _texts(self, reason: str) -> dict[str, str]:
        return {"name": self._target.name, "address": code(self._target.base_url), "reason": reason}


def _problem(err: CodeError | ApiError | Problem) -> Problem:
    """The flow error of a failed enrolment."""
    match err:
        case Problem():
            return err
        case CodeError():
            return Problem(ENROLL_CODE_INVALID, str(err))
        case CodeRefusedError():
            return Problem(ENROLL_CODE_WRONG)
        case RefusedByOwnerError():
            return Problem(ENROLL_REFUSED)
        case RequestOverError():
            return Problem(ENROLL_OVER)
        case PinChangedError():
            return Problem(ENROLL_PIN_CHANGED)
        case EnrolmentError():
            return Problem(ENROLL_FAILED, reason_of(err))
    return problem_of(err, keyed=False)
