"""Counters of providers and of the gateway that continue after restarts."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import override

from homeassistant.components.sensor import RestoreSensor, SensorEntityDescription, SensorStateClass
from homeassistant.const import EntityCategory

from ..core.routing.pool.pool import Tally
from ..entity import GatewayEntity, ProviderEntity
from ..gateway.coordinators import Counts


@dataclass(frozen=True, kw_only=True)
class ProviderCounterDescription(SensorEntityDescription):
    """A counter of a provider."""

    value_fn: Callable[[Tally], int]


@dataclass(frozen=True, kw_only=True)
class GatewayCounterDescription(SensorEntityDescription):
    """A counter of the gateway."""

    value_fn: Callable[[Counts], int]


ERRORS = ProviderCounterDescription(
    key="errors",
    translation_key="errors",
    entity_category=EntityCategory.DIAGNOSTIC,
    state_class=SensorStateClass.TOTAL_INCREASING,
    value_fn=lambda tally: tally.errors,
)
"""Failed attempts, including those followed by a failover."""

COUNTERS = (
    ProviderCounterDescription(
        key="requests",
        translation_key="requests",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda tally: tally.requests,
    ),
    ERRORS,
    ProviderCounterDescription(
        key="tokens_in",
        translation_key="tokens_in",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda tally: tally.usage.prompt_tokens,
    ),
    ProviderCounterDescription(
        key="tokens_out",
        translation_key="tokens_out",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda tally: tally.usage.completion_tokens,
    ),
    ProviderCounterDescription(
        key="tokens_cached",
        translation_key="tokens_cached",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda tally: tally.usage.cached_tokens,
    ),
)

GATEWAY_COUNTERS = (
    GatewayCounterDescription(
        key="failovers",
        translation_key="failovers",
        entity_category=EntityCategory.DIAGNOSTIC,
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda counts: counts.failovers,
    ),
)


class _Counter(RestoreSensor):
    """A counter that adds the restored value to a count that begins at 0 after each reload."""

    _base: int | None = None

    @override
    async def async_added_to_hass(self) -> None:
        if self._base is None:  # a renamed entity is added again and keeps its value
            restored = await self.async_get_last_sensor_data()
            value = restored.native_value if restored else None
            self._base = value if isinstance(value, int) else 0
        await super().async_added_to_hass()

    @property
    @override
    def native_value(self) -> int:
        return (self._base or 0) + self.counted()

    @abstractmethod
    def counted(self) -> int:
        """The count since the entity was added."""


class ProviderCounter(ProviderEntity, _Counter):
    """A counter of one provider."""

    entity_description: ProviderCounterDescription
    offered = True
    _tally: Tally | None = None
    _before = 0
    """The counts of former tallies: a backend added to the pool again gets a new tally."""

    @override
    def counted(self) -> int:
        member = self.coordinator.member
        tally = self._tally if member is None else member.tally
        if tally is not self._tally:
            self._before += self._of(self._tally)
            self._tally = tally
        return self._before + self._of(tally)

    def _of(self, tally: Tally | None) -> int:
        return 0 if tally is None else self.entity_description.value_fn(tally)


class GatewayCounter(GatewayEntity, _Counter):
    """A counter of the gateway."""

    entity_description: GatewayCounterDescription

    @override
    def counted(self) -> int:
        return self.entity_description.value_fn(self.coordinator.counts)
