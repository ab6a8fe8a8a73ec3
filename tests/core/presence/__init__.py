"""Tests of `core/presence`."""
