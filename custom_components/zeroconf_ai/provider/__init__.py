"""The runtime of a provider's config entry."""
