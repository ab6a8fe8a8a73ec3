"""Tests of `core/accounting/budgets`."""
