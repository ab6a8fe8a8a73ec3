"""Tests of `core/accounting/prices`."""
