"""Tests of `core/accounting/limits`."""
