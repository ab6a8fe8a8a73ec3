"""List prices of a cloud that is set up as a provider."""

from ..core.accounting.prices.price_book import PriceBook
from ..core.presence.provider_backend import ProviderBackend
from ..core.routing.policy import Terms


async def price_terms(backend: ProviderBackend) -> Terms:
    """The terms of a provider: list prices if its owner has chosen a cloud. Also adds the list's data to its models."""
    price_list = None if backend.type is None else backend.type.price_list
    if price_list is None:
        return Terms()
    book = PriceBook()
    backend.describe = await book.describe(price_list, backend.base_url)
    return Terms(listed=await book.lookup(price_list, backend.base_url))
