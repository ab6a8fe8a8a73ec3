"""The counts of usage: the same for the household, keys, the gateway's backends and providers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import override

from homeassistant.components.sensor import SensorEntity, SensorEntityDescription, SensorStateClass
from homeassistant.const import EntityCategory

from ..core.accounting.usage.summary import Aggregate
from ..usage.entity import UsageEntity


@dataclass(frozen=True, kw_only=True)
class CountDescription(SensorEntityDescription):
    """A count of an aggregate."""

    state_class: SensorStateClass | None = SensorStateClass.TOTAL_INCREASING
    count_fn: Callable[[Aggregate], int]


COUNTS = (
    CountDescription(
        key="requests",
        translation_key="requests",
        count_fn=lambda total: total.requests,
    ),
    CountDescription(
        key="tokens_in",
        translation_key="tokens_in",
        entity_registry_enabled_default=False,
        count_fn=lambda total: total.prompt_tokens,
    ),
    CountDescription(
        key="tokens_out",
        translation_key="tokens_out",
        entity_registry_enabled_default=False,
        count_fn=lambda total: total.completion_tokens,
    ),
    CountDescription(
        key="tokens_cached",
        translation_key="tokens_cached",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        count_fn=lambda total: total.cached_tokens,
    ),
)

FAILED_REQUESTS = CountDescription(
    key="errors",
    translation_key="errors",
    entity_category=EntityCategory.DIAGNOSTIC,
    entity_registry_enabled_default=False,
    count_fn=lambda total: total.errors,
)
"""Of the household and of keys: requests that no backend answered."""

FAILED_ATTEMPTS = CountDescription(
    key="errors",
    translation_key="errors",
    entity_category=EntityCategory.DIAGNOSTIC,
    entity_registry_enabled_default=False,
    count_fn=lambda total: total.failed_attempts,
)
"""Of backends: failed attempts, including those followed by a failover."""

TOKENS = CountDescription(
    key="tokens",
    translation_key="tokens",
    entity_registry_enabled_default=False,
    count_fn=lambda total: total.prompt_tokens + total.completion_tokens,
)


class UsageCount(UsageEntity, SensorEntity):
    """A count of the household, a backend of the gateway, or a key."""

    entity_description: CountDescription

    @property
    @override
    def native_value(self) -> int:
        return self.entity_description.count_fn(self.coordinator.summary.total)
