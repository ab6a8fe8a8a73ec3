"""The declaration of the template's backend type, as an entry of `BACKEND_TYPES`."""

from zeroconf_ai.config.backend_types import BackendType

from .backend import BASE_URL, TemplateBackend, template_info

TEMPLATE = BackendType("template", "Template", TemplateBackend, template_info, endpoint=BASE_URL)
