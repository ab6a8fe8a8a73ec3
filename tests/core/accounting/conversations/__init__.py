"""Tests of `core/accounting/conversations`."""
