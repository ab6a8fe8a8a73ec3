"""Tests of `core/routing/selection`."""
