"""Backends that are no fakes, behind the gateway: llama.cpp with models of our making, and LiteLLM."""
