"""Tests of `core/routing/pool`."""
