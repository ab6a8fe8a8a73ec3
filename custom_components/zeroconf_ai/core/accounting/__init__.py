"""Accounting: API keys, usage records, budgets, rate limits and stored conversations (docs/architecture.md)."""
