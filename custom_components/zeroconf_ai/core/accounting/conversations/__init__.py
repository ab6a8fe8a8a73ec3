"""Stored prompts and answers, and the sessions they belong to."""
