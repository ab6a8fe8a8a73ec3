"""Tests of `core/dialects/anthropic`."""
