"""Tests of the gateway with real backends: llama.cpp with small models, and LiteLLM."""
