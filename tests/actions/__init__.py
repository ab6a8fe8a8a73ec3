"""Tests of `actions`."""
