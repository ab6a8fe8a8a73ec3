"""A real Home Assistant with a demo provider, on a network of its own where wanted: for scripts/develop and tests/e2e.

- `namespaces`: a LAN of several hosts on one machine, made of network namespaces.
- `process`: a program that runs beside this one, with its output in a file.
- `config_folder`, `home`, `onboarding`: a Home Assistant with demo lights, an owner and a token.
- `provider`: the demo provider.
- `client`: Home Assistant's WebSocket and REST API.
- `browser`: its user interface, in a headless Chromium.

Nothing here is part of the product; `python -m devhome` is what scripts/develop runs.
"""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
"""The checkout."""


class DevHomeError(Exception):
    """Something did not start or did not answer; the message is meant for whoever ran the script."""
