"""Conversations: the loop between a chat log and the engine."""
