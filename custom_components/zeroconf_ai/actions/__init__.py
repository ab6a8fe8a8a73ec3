"""The service actions."""
