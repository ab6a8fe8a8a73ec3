"""What stays at home because of a label of the home: pictures of its cameras, and states that tools read.

The owner names labels in the gateway's options. An entity has the labels of its own, of its device, and of their areas.
"""

from collections.abc import Iterator, Sequence
import re

from homeassistant.components import conversation
from homeassistant.components.script import areas_in_script, devices_in_script, entities_in_script
from homeassistant.core import HomeAssistant
from homeassistant.helpers import area_registry as ar, device_registry as dr, entity_registry as er, intent

from ..const import CONF_HOME_LABELS
from ..core.protocol.home_rule import HomeRule
from ..data import gateway_entry

_MEDIA_SOURCE = "media-source://"
_PARTS = re.compile(r"[^\w.\-]+")
"""What separates the names of entities and devices in the ids of media sources: `/`, `:`, `,`, `|`, `?`."""
_WORDS = re.compile(r"\w+")
_SCRIPT_TOOL = re.compile(r"(?:^|__)script__(\w+)$")
"""The name of the tool of a script, also below the name of an LLM API."""
_OVERVIEW_TOOL = "GetLiveContext"
"""The end of the name of Home Assistant's tool that reads all exposed entities, and names them in its result."""
_DEPTH = 64


class HomeLabels:
    """The entities with the labels whose data stays at home, as they are when it is made."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Without a gateway, or without labels in its options, nothing stays at home because of a label."""
        self._hass = hass
        entry = gateway_entry(hass)
        labels = frozenset(entry.options.get(CONF_HOME_LABELS, ())) if entry is not None else frozenset[str]()
        self._labels = labels
        self._areas = {area.id for area in ar.async_get(hass).async_list_areas() if labels & area.labels} if labels else set()
        entities = er.async_get(hass).entities.values() if labels else ()
        self._entities = {entity.entity_id: entity for entity in entities if self._is_labelled(entity)}

    def rule(self, content: Sequence[conversation.Content]) -> HomeRule | None:
        """The rule that keeps a conversation at home; None: it may leave."""
        if not self._labels:
            return None
        attachments = (one for item in content if isinstance(item, conversation.UserContent) for one in item.attachments or ())
        if any(self.keeps_picture(attachment.media_content_id) for attachment in attachments):
            return HomeRule.PICTURE
        return HomeRule.ENTITY if any(self.was_read(*run) for run in _tool_runs(content)) else None

    def keeps_picture(self, media_content_id: str) -> bool:
        """Whether a picture is that of a labelled entity, by the id of its media source.

        It is if the id names a labelled entity or device, and may be if it names neither and the integration has a labelled one.
        """
        path = media_content_id.removeprefix(_MEDIA_SOURCE)
        if path == media_content_id:
            return False
        domain, _, rest = path.partition("/")
        named = {part for part in _PARTS.split(rest) if part}
        registry, devices = er.async_get(self._hass), dr.async_get(self._hass)
        if named & self._entities.keys() or any(map(self._is_labelled_device, named)):
            return True
        if any(entity.unique_id in named for entity in self._entities.values() if entity.platform == domain):
            return True
        if any(registry.async_get(name) or devices.async_get(name) for name in named):
            return False
        return any(entity.platform == domain for entity in self._entities.values())

    def was_read(self, name: str, arguments: object, result: object) -> bool:
        """Whether a run of a tool has to do with a labelled entity: its id, one of its names, or its script."""
        if not self._labels:
            return False
        if (script := _SCRIPT_TOOL.search(name)) and self._script_reads(f"script.{script[1]}"):
            return True
        original = getattr(result, "original", None)
        if isinstance(original, intent.IntentResponse):
            states = (*original.matched_states, *original.unmatched_states)
            if any(state.entity_id in self._entities for state in states):
                return True
        if name.endswith(_OVERVIEW_TOOL) and self._has_nameless:
            return True
        said = _words(" ".join(_texts([arguments, result], _DEPTH)))
        return any(f" {named} " in f" {said} " for named in self._names())

    @property
    def _has_nameless(self) -> bool:
        """Whether a labelled entity has no name in Home Assistant's overview, so that its state cannot be told from others."""
        registered = ((self._hass.states.get(entity_id), entity) for entity_id, entity in self._entities.items())
        return any(
            not any(map(_words, intent.async_get_entity_aliases(self._hass, entity, state=state)))
            for state, entity in registered
            if state is not None
        )

    def _script_reads(self, entity_id: str) -> bool:
        hass = self._hass
        return bool(
            entity_id in self._entities
            or self._entities.keys() & set(entities_in_script(hass, entity_id))
            or any(map(self._is_labelled_device, devices_in_script(hass, entity_id)))
            or self._areas & set(areas_in_script(hass, entity_id))
        )

    def _names(self) -> Iterator[str]:
        """The ids, names and aliases of the labelled entities, as words."""
        for entity_id, entity in self._entities.items():
            yield _words(entity_id)
            if (state := self._hass.states.get(entity_id)) is not None:
                aliases = intent.async_get_entity_aliases(self._hass, entity, state=state)
                yield from filter(None, map(_words, (state.name, *aliases)))

    def _is_labelled(self, entity: er.RegistryEntry) -> bool:
        return (
            bool(self._labels & entity.labels)
            or entity.area_id in self._areas
            or (entity.device_id is not None and self._is_labelled_device(entity.device_id))
        )

    def _is_labelled_device(self, device_id: str) -> bool:
        device = dr.async_get(self._hass).async_get(device_id)
        if device is None:
            return False
        return bool(self._labels & device.labels) or dr.async_get_effective_area_id(self._hass, device) in self._areas


def _tool_runs(content: Sequence[conversation.Content]) -> Iterator[tuple[str, object, object]]:
    """Name, arguments and result of each tool that was run."""
    arguments: dict[str, object] = {}
    for item in content:
        if isinstance(item, conversation.AssistantContent):
            arguments |= {call.id: call.tool_args for call in item.tool_calls or ()}
        elif isinstance(item, conversation.ToolResultContent):
            yield item.tool_name, arguments.get(item.tool_call_id), item.result.data


def _texts(value: object, depth: int) -> Iterator[str]:
    """All texts in data of other integrations, down to a depth, with the names of the fields."""
    if isinstance(value, str):
        yield value
    elif depth > 0 and isinstance(value, dict):
        yield from map(str, value)
        for entry in value.values():
            yield from _texts(entry, depth - 1)
    elif depth > 0 and isinstance(value, list | tuple | set | frozenset):
        for entry in value:
            yield from _texts(entry, depth - 1)


def _words(text: str) -> str:
    """The words of a text, in lower case and apart by one space: line breaks and quotation marks make no difference."""
    return " ".join(_WORDS.findall(text.casefold()))
