"""Helpers for tests with Home Assistant."""
