"""Shows discovered providers: a card for each provider that answers, or has not answered for a minute."""

from collections.abc import Callable
from dataclasses import dataclass, replace
import time

from homeassistant.components import zeroconf
from homeassistant.components.zeroconf.const import DOMAIN as ZEROCONF_DOMAIN
from homeassistant.config_entries import SOURCE_INTEGRATION_DISCOVERY, SOURCE_ZEROCONF, ConfigFlowResult
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import DOMAIN as HOMEASSISTANT_DOMAIN, Event, HomeAssistant, callback
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers import discovery_flow
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.util.hass_dict import HassKey

from ..const import CONF_PROVIDER_ID, DOMAIN
from ..core.lan.discovery import DiscoveryManager
from ..core.lan.providers import Change, ChangeKind
from ..core.lan.reprobe import MAX_TARGETS, Reprober
from ..core.protocol.record import ServiceRecord
from .probe import CANNOT_CONNECT, NEEDS_KEY, NO_MODELS, ProbedProvider, Problem, probe_record

MAX_CARDS = 32
"""The maximum number of cards."""
MAX_OUTCOMES = 2 * MAX_TARGETS
FRESH_SECONDS = 10.0
"""A provider with an older answer is probed again before it is shown."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of the last probe of a provider."""

    record: ServiceRecord
    found: ProbedProvider | None
    """The provider that answered; None if none did, or if it requires an API key."""
    problem: Problem | None
    at: float
    """`time.monotonic()`."""
    overdue: bool = False
    """Whether it is shown without an answer, after a minute without one."""

    @property
    def base_url(self) -> str | None:
        """The address that answered, if only with a 401."""
        if self.found is not None:
            return self.found.endpoint.base_url
        return None if self.problem is None else self.problem.base_url

    @property
    def answered(self) -> bool:
        """Whether the provider answered, if only with a 401."""
        return self.found is not None or (self.problem is not None and self.problem.key == NEEDS_KEY)


@dataclass(frozen=True, slots=True)
class _Card:
    """A card that is shown or will be."""

    record: ServiceRecord
    answered: bool


class ProviderOffers:
    """Starts a flow for each discovered provider that is not configured, as soon as it answers. Runs until Home Assistant stops.

    Home Assistant starts one flow per advertisement; without an answer this flow ends without a card.
    """

    def __init__(self, hass: HomeAssistant, discovery: DiscoveryManager) -> None:
        """`discovery` is shared with the rest of the integration."""
        self.discovery = discovery
        self._hass = hass
        self._reprober = Reprober(self._ask, self._on_overdue)
        self._outcomes: dict[str, Outcome] = {}
        self._cards: dict[str, _Card] = {}
        """By flow id."""
        self._stop: Callable[[], None] | None = None

    async def start(self) -> None:
        """Start discovery."""
        self._stop = self.discovery.watch_for_changes(self._on_change)
        await self.discovery.start()

    async def close(self) -> None:
        """Stop discovery and probes."""
        if self._stop is not None:
            self._stop()
        await self._reprober.close()
        await self.discovery.close()

    def latest(self, provider_id: str) -> Outcome | None:
        """The last outcome for a provider."""
        return self._outcomes.get(provider_id)

    async def outcome(self, record: ServiceRecord) -> Outcome | None:
        """The recent outcome for a provider, which is probed if it has no recent outcome. None if too many are probed already.

        A provider that does not answer is probed again later.
        """
        known = self._outcomes.get(record.id)
        if known is not None and known.record.urls() == record.urls():
            if known.overdue or (known.answered and time.monotonic() - known.at < FRESH_SECONDS):
                return known
        self._reprober.add(record)
        await self._reprober.attempted(record.id)
        return self._outcomes.get(record.id)

    @callback
    def claim_card(self, flow_id: str, record: ServiceRecord, *, answered: bool) -> None:
        """Claim a card for a flow. Raises AbortFlow if the flow has ended or no card is available.

        There is one card per address and port. At the maximum, a provider that answers replaces one that does not.
        """
        in_progress = self._hass.config_entries.flow.async_progress_by_handler(DOMAIN, include_uninitialized=True)
        if not any(flow["flow_id"] == flow_id for flow in in_progress):
            raise AbortFlow("gone")  # it was aborted during the probe
        urls = set(record.urls())
        for other_id, card in list(self._cards.items()):
            if other_id != flow_id and urls & set(card.record.urls()):
                if card.answered or not answered:
                    raise AbortFlow("already_in_progress", translation_domain=HOMEASSISTANT_DOMAIN)
                self._abort(other_id)
        if len(self._cards) >= MAX_CARDS:
            silent = next((other_id for other_id, card in self._cards.items() if not card.answered), None)
            if silent is None or not answered:
                self._reprober.add(record)
                raise AbortFlow("too_many_cards")
            self._abort(silent)
        self._cards[flow_id] = _Card(record, answered)

    @callback
    def release_card(self, flow_id: str) -> None:
        """Free the card of a flow that ended."""
        self._cards.pop(flow_id, None)

    async def _ask(self, record: ServiceRecord) -> bool:
        """Probe a provider, and show it if it answers. Returns whether to stop probing."""
        if not self._is_wanted(record):
            return True
        found, problem = None, None
        try:
            found = await probe_record(async_get_clientsession(self._hass), record)
        except Problem as err:
            problem = err
        former = self._outcomes.get(record.id)
        overdue = former is not None and former.overdue and former.record.urls() == record.urls()
        outcome = Outcome(record, found, problem, time.monotonic())
        self._outcomes.pop(record.id, None)
        self._outcomes[record.id] = outcome if outcome.answered else replace(outcome, overdue=overdue)
        if len(self._outcomes) > MAX_OUTCOMES:
            del self._outcomes[next(iter(self._outcomes))]
        if not outcome.answered:
            return False
        self.discovery.record_answer(record.id, outcome.base_url)
        return self._offer(record)

    @callback
    def _offer(self, record: ServiceRecord) -> bool:
        """Start a flow for a provider that answered. Returns False if there is no card for it."""
        for flow in self._flows(record.id):
            card = self._cards.get(flow["flow_id"])
            if card is None or card.answered or flow["context"].get("dismiss_protected"):
                return True  # its flow is running, or its card is open
            self._abort(flow["flow_id"])
        if len(self._cards) >= MAX_CARDS and all(card.answered for card in self._cards.values()):
            return False
        self._start_flow(record)
        return True

    @callback
    def _on_overdue(self, record: ServiceRecord) -> None:
        """Show a provider that does not answer, unless another kind of server answers at its address."""
        outcome = self._outcomes.get(record.id)
        if outcome is None or outcome.problem is None or outcome.problem.key not in (CANNOT_CONNECT, NO_MODELS):
            return
        self._outcomes[record.id] = replace(outcome, overdue=True)
        if self._is_wanted(record) and len(self._cards) < MAX_CARDS:
            self._start_flow(record)

    @callback
    def _start_flow(self, record: ServiceRecord) -> None:
        name = f"{record.name}.{record.service_type}"
        discovery_flow.async_create_flow(
            self._hass,
            DOMAIN,
            {"source": SOURCE_INTEGRATION_DISCOVERY},
            {CONF_PROVIDER_ID: record.id},
            # With this key, Home Assistant discovers the advertisement again when its entry is removed.
            discovery_key=discovery_flow.DiscoveryKey(domain=ZEROCONF_DOMAIN, key=(record.service_type, name), version=1),
        )

    @callback
    def _on_change(self, change: Change) -> None:
        """Handle a change of the discovered providers."""
        record = change.provider.record
        if change.kind is ChangeKind.REMOVED:
            self._reprober.discard(record.id)
            self._outcomes.pop(record.id, None)
            for flow in self._flows(record.id):
                if not flow["context"].get("dismiss_protected"):
                    self._abort(flow["flow_id"])
        elif change.kind is not ChangeKind.STATE and self._is_wanted(record):
            flows = self._flows(record.id)
            if record.id in self._reprober or not flows:
                self._reprober.add(record)

    def _is_wanted(self, record: ServiceRecord) -> bool:
        """Whether the provider is neither this Home Assistant, nor configured, nor ignored."""
        entry = self._hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, record.id)
        return entry is None and record.id not in self.discovery.own_ids

    def _flows(self, provider_id: str) -> list[ConfigFlowResult]:
        """The discovery flows of a provider."""
        flows = self._hass.config_entries.flow.async_progress_by_handler(
            DOMAIN, include_uninitialized=True, match_context={"unique_id": provider_id}
        )
        return [flow for flow in flows if flow["context"]["source"] in (SOURCE_ZEROCONF, SOURCE_INTEGRATION_DISCOVERY)]

    @callback
    def _abort(self, flow_id: str) -> None:
        """Abort a flow, which frees its card."""
        self._hass.config_entries.flow.async_abort(flow_id)


OFFERS: HassKey[ProviderOffers] = HassKey(f"{DOMAIN}_offers")


async def async_get_offers(hass: HomeAssistant) -> ProviderOffers:
    """The shared instance, started by the first caller: a discovered provider or the first entry."""
    if (offers := hass.data.get(OFFERS)) is not None:
        return offers
    instance = await zeroconf.async_get_async_instance(hass)
    if (offers := hass.data.get(OFFERS)) is not None:
        return offers
    offers = hass.data[OFFERS] = ProviderOffers(hass, DiscoveryManager(instance))

    async def stop(_: Event) -> None:
        await offers.close()  # before Home Assistant closes its zeroconf

    hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, stop)
    await offers.start()
    return offers
