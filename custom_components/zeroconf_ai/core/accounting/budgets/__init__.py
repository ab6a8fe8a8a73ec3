"""Budgets, balances and reservations."""
