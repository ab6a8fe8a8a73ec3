"""Google's Gemini API: requests out of OpenAI's chat completions and embeddings, answers and streams back into them."""
