"""A component for a Home Assistant under test: its action compiles the recorder's statistics of a period at once.

The recorder does so by itself every five minutes, and the sums of an hour with the hour's last period. A test that waited
for the clock would take an hour.
"""

from datetime import datetime

import voluptuous as vol

from homeassistant.components.recorder.tasks import StatisticsTask
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.recorder import get_instance
from homeassistant.helpers.typing import ConfigType

DOMAIN = "compile_statistics"


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register `compile_statistics.run`, which takes the period's `start` and returns when its statistics are stored."""

    async def run(call: ServiceCall) -> None:
        start: datetime = call.data["start"]
        recorder = get_instance(hass)
        recorder.queue_task(StatisticsTask(start, fire_events=False))
        await recorder.async_block_till_done()

    hass.services.async_register(DOMAIN, "run", run, vol.Schema({vol.Required("start"): cv.datetime}))
    return True
