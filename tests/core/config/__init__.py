"""Tests of `core/config`."""
