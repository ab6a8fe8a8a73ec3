"""Tests of `core/routing/pricing`."""
