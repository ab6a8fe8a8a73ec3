"""Tests of `core/server/access`."""
