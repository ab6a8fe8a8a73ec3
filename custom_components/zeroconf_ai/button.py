"""Buttons: immediate health check and update of the model list."""

from dataclasses import dataclass
from typing import override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import ProviderEntity, add_provider_entities
from .pool_coordinator import MemberCoordinator
from .runtime import ZeroconfAIConfigEntry

PARALLEL_UPDATES = 1


@dataclass(frozen=True, kw_only=True)
class ProviderButtonDescription(ButtonEntityDescription):
    """A button of a provider."""

    models: bool
    """Whether to update the model list."""


BUTTONS = (
    ProviderButtonDescription(
        key="check_now",
        translation_key="check_now",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        models=False,
    ),
    ProviderButtonDescription(
        key="refresh_models",
        translation_key="refresh_models",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        models=True,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant, entry: ZeroconfAIConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add one entity for each description, but none for agents of this Home Assistant."""

    def make(coordinator: MemberCoordinator) -> list[ProviderButton]:
        return [] if coordinator.is_agent else [ProviderButton(coordinator, description) for description in BUTTONS]

    add_provider_entities(entry, async_add_entities, make)


class ProviderButton(ProviderEntity, ButtonEntity):
    """Checks the provider. If it does not answer, the status shows it; the action does not fail."""

    entity_description: ProviderButtonDescription

    @override
    async def async_press(self) -> None:
        await self.coordinator.check_now(models=self.entity_description.models)
