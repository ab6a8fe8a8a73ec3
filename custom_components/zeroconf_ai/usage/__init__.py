"""Usage and budgets in Home Assistant: trackers, alerts, display names."""
