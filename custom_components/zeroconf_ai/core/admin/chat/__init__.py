"""Conversations of the page: a person asks, a provider answers, and both are kept.

`Chats` (`chats`) is what a page uses: it sends messages, stops and repeats answers, and publishes what happens. An answer runs
by itself (`answer`), so leaving the page does not end it, and every page of its owner sees it. `Answerer` (`answerer`) is how a
home asks: through the engine, or in Home Assistant with its tools. The other modules have one part each: `messages` (plain
data), `runs` (answers that are being written), `history` (what a model is sent), `details` (who gave an answer and what it
cost), `providers` (what can be chosen).
"""
