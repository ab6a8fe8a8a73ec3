"""Anthropic's Messages API: requests out of OpenAI's chat completions, answers and streams back into them."""
