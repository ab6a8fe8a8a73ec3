"""Records usage and costs in the accounting of a loaded gateway, as the engine would."""

import time
from typing import Any

from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.core.accounting.admission import AdmissionRequest
from custom_components.zeroconf_ai.core.accounting.keys.client_key import ClientKey
from custom_components.zeroconf_ai.core.accounting.usage.generation import Generation, Outcome
from custom_components.zeroconf_ai.core.protocol.usage import Usage
from custom_components.zeroconf_ai.core.protocol.values import NANO
from custom_components.zeroconf_ai.data import DATA
from homeassistant.core import HomeAssistant

from .gateway import runtime_of

USAGE = Usage(prompt_tokens=100, completion_tokens=20, cached_tokens=10)


async def spend(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    cost: float | None,
    *,
    key_id: str | None = None,
    user_id: str | None = None,
    backend_id: str | None = None,
    **fields: Any,
) -> None:
    """Admit one request by limits and budgets, and record its usage and cost."""
    created, worst = time.time(), {} if backend_id is None else {backend_id: 0}
    asked = AdmissionRequest("http", "chat", "auto", key_id=key_id, user_id=user_id, worst_costs=worst, created=created)
    admission = await runtime_of(entry).store.admission_control.admit(asked)
    usual: dict[str, Any] = {"usage": USAGE, "outcome": Outcome.OK, "duration": 2.0, "first_token": 0.5, "stream": True}
    generation = Generation(
        id=f"gen_{time.monotonic_ns()}",
        created=created,
        source="http",
        kind="chat",
        requested_model="auto",
        backend_id=backend_id,
        backend_name=None if backend_id is None else "Box",
        cost=None if cost is None else round(cost * NANO),
        key_id=key_id,
        user_id=user_id,
        **(usual | fields),
    )
    admission.reconcile(generation)
    recorder = hass.data[DATA].engine.recorder
    assert recorder is not None
    recorder.record(generation)


def only_key(entry: MockConfigEntry) -> ClientKey:
    """The gateway's only key."""
    [key] = runtime_of(entry).store.keys
    return key
