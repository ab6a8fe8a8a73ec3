"""Tests of `core/server`."""
