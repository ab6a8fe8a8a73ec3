"""Tests of `core/routing/execution`."""
