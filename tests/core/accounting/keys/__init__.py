"""Tests of `core/accounting/keys`."""
