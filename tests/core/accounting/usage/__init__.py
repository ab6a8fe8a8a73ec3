"""Tests of `core/accounting/usage`."""
