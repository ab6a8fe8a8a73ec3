"""Prices of models and of electricity."""
