"""Probes a backend before it is saved, and maps failures to flow errors."""

from dataclasses import replace

from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from ..core.backends.base import BackendInfo, Endpoint
from ..core.config.backend_config import BackendConfig
from ..core.config.backend_types import BackendType
from ..core.config.members import make_backend
from ..core.presence.provider_backend import ProviderBackend
from ..core.presence.server_kinds import ServerKind
from ..core.protocol.errors import ApiError, MethodNotAllowedError, NotFoundError
from ..core.protocol.models import ModelInfo
from .probe import NOT_A_PROVIDER, Problem, base_urls, problem_of, reason_of

ADDRESS_IN_USE = "address_in_use"
NO_TLS = "no_tls"
KEY_FOR_NEW_HOST = "key_for_new_host"


def backend_url(text: str, backend_type: BackendType) -> str:
    """The base URL of an entered address. Raises Problem for an invalid one."""
    typed = text.strip()
    url = base_urls(typed if "://" in typed else f"http://{typed}")[-1]
    for path in backend_type.foreign_paths:
        url = url.removesuffix(path)
    return url if url.count("/") > 2 else f"{url}{backend_type.path}"


async def native_kind(hass: HomeAssistant, config: BackendConfig) -> ServerKind | None:
    """The kind of the server, whose type and path are used; None for an unknown one, and for one that does not answer."""
    endpoint = Endpoint(config.endpoint, config.key, config.verify_ssl, config.headers)
    backend = ProviderBackend(async_get_clientsession(hass), BackendInfo(config.id, config.name), endpoint)
    try:
        await backend.health()
    except ApiError:  # the probe of the chosen type reports the reason
        return None
    return backend.kind


async def probe_backend(hass: HomeAssistant, config: BackendConfig) -> tuple[ModelInfo, ...]:
    """All models that a backend serves to its API key, without the restrictions of `config`. Costs nothing. Raises Problem."""
    backend = make_backend(replace(config, models=(), aliases={}), async_get_clientsession(hass))
    try:
        await backend.health()
        return await backend.models()
    except ApiError as err:
        raise _problem(err, config) from None
    finally:
        await backend.close()


def _problem(err: ApiError, config: BackendConfig) -> Problem:
    if isinstance(err, NotFoundError | MethodNotAllowedError):
        return Problem(NOT_A_PROVIDER, reason_of(err))
    if config.endpoint.startswith("https://") and "SSL" in err.log_text:
        return Problem(NO_TLS, reason_of(err))
    return problem_of(err, keyed=config.key is not None)
