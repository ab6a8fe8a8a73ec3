"""Read models and commands for people: what a page, a form or an action shows and changes, without Home Assistant.

Each module has one subject: `live` (providers, running requests, costs of today), `requests` (the records), `usage` (reports),
`keys` (API keys and budgets), `chat` (conversations), `names`, `examples` (for programs), `why` (the plan of a request that is
not sent). The results are plain data for JSON; money is in whole units of a currency.
"""
