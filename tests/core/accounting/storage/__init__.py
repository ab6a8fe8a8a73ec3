"""Tests of `core/accounting/storage`."""
