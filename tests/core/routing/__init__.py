"""Tests of `core/routing`."""
