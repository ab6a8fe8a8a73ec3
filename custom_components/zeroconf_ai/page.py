"""The page in the sidebar. Its files are built from `frontend/`."""

from pathlib import Path
from typing import Final

from homeassistant.components import frontend
from homeassistant.components.http.server import StaticPathConfig
from homeassistant.components.panel_custom import async_register_panel
from homeassistant.core import HomeAssistant, callback
from homeassistant.loader import async_get_integration

from .const import DOMAIN

PATH: Final = "zeroconf-ai"
"""The path of the page in Home Assistant."""
_FILES_URL: Final = "/zeroconf_ai_page"
_FILES: Final = Path(__file__).parent / "panel"


async def async_add_page(hass: HomeAssistant) -> None:
    """Add the page to the sidebar, once; does nothing in a Home Assistant without frontend."""
    if "frontend" not in hass.config.components or PATH in hass.data.get(frontend.DATA_PANELS, ()):
        return
    integration = await async_get_integration(hass, DOMAIN)
    await async_register_panel(
        hass,
        frontend_url_path=PATH,
        webcomponent_name="zeroconf-ai-panel",
        sidebar_title="ZeroConf AI",
        sidebar_icon="mdi:robot-outline",
        module_url=f"{_FILES_URL}/panel.js?v={integration.version}",
    )


async def async_serve_page(hass: HomeAssistant) -> None:
    """Serve the page's files. A path cannot be removed, so this is done once, when the integration is set up."""
    await hass.http.async_register_static_paths([StaticPathConfig(_FILES_URL, str(_FILES), cache_headers=True)])


@callback
def async_remove_page(hass: HomeAssistant) -> None:
    """Remove the page from the sidebar."""
    frontend.async_remove_panel(hass, PATH, warn_if_unknown=False)
