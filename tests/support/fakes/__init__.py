"""Providers with scripted answers."""
