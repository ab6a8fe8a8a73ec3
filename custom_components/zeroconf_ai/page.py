"""The page in the sidebar. Its files are built from `frontend/`."""

from pathlib import Path
from typing import Final

from homeassistant.components import frontend
from homeassistant.components.http.server import StaticPathConfig
from homeassistant.components.panel_custom import async_register_panel
from homeassistant.core import HomeAssistant, callback
from homeassistant.loader import async_get_integration

from .const import DOMAIN, PAGE_PATH
from .core.server.administration.page_files import FILES

PATH: Final = PAGE_PATH
_FILES_URL: Final = "/zeroconf_ai_page"


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
    modules = await hass.async_add_executor_job(_modules)
    await hass.http.async_register_static_paths(
        [StaticPathConfig(f"{_FILES_URL}/{module.name}", str(module), cache_headers=True) for module in modules]
    )


def _modules() -> list[Path]:
    """The files that Home Assistant needs: not the form to log in."""
    return [file for file in FILES.glob("*.js") if file.name != "page.js"]


@callback
def async_remove_page(hass: HomeAssistant) -> None:
    """Remove the page from the sidebar."""
    frontend.async_remove_panel(hass, PATH, warn_if_unknown=False)
