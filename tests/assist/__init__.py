"""Tests of `assist`."""
