"""The examples at the end of each command's help."""

from collections.abc import Mapping
from typing import Final

import click

EXAMPLES: Final[Mapping[str, tuple[str, ...]]] = {
    "ask": (
        "zeroconf-ai ask what is mDNS",
        "journalctl -n 200 | zeroconf-ai ask 'what is wrong?'",
        "zeroconf-ai ask --image cat.jpg --model llava 'what is this?'",
    ),
    "broker": ("zeroconf-ai broker --port 8000", "zeroconf-ai broker --config broker.yaml --database postgresql://…"),
    "ca": ("zeroconf-ai ca > zeroconf-ai-ca.pem",),
    "chat": ("zeroconf-ai chat", "zeroconf-ai chat 'count to 5'", "git diff | zeroconf-ai chat --provider 'Living room'"),
    "clients approve": ("zeroconf-ai clients approve '123 456'",),
    "clients code": (
        "zeroconf-ai clients code",
        "zeroconf-ai clients code --name Laptop --model 'qwen*' --endpoint chat",
    ),
    "clients refuse": ("zeroconf-ai clients refuse '123 456'",),
    "clients replace-ca": ("zeroconf-ai clients replace-ca",),
    "clients requests": ("zeroconf-ai clients requests",),
    "completion": (
        "echo 'eval \"$(zeroconf-ai completion bash)\"' >> ~/.bashrc",
        "echo 'eval \"$(zeroconf-ai completion zsh)\"' >> ~/.zshrc   # after compinit",
        "zeroconf-ai completion fish > ~/.config/fish/completions/zeroconf-ai.fish",
    ),
    "config check": ("zeroconf-ai config check providers.yaml",),
    "config convert": ("zeroconf-ai config convert server.yaml > providers.yaml",),
    "config schema": ("zeroconf-ai config schema > zeroconf-ai.schema.json",),
    "connect": (
        "zeroconf-ai connect wss://ai.example.net --code-file code.txt",
        "zeroconf-ai connect --parallel 2 --hours 22:00-07:00 --notify ntfy:my-gpu",
    ),
    "connectors disable": ("zeroconf-ai connectors disable 'GPU box'",),
    "connectors enable": ("zeroconf-ai connectors enable 'GPU box'",),
    "connectors list": ("zeroconf-ai connectors list", "zeroconf-ai connectors list --json"),
    "connectors pair": ("zeroconf-ai connectors pair",),
    "connectors remove": ("zeroconf-ai connectors remove 'GPU box'",),
    "connectors rename": ("zeroconf-ai connectors rename 'GPU box' Attic",),
    "database downgrade": ("zeroconf-ai database downgrade 0006",),
    "database version": ("zeroconf-ai database version",),
    "discover": ("zeroconf-ai discover", "zeroconf-ai discover --watch", "zeroconf-ai discover --json | jq -r '.[].url'"),
    "doctor": ("zeroconf-ai doctor",),
    "endpoint": (
        'eval "$(zeroconf-ai endpoint)"',
        "zeroconf-ai endpoint --shell fish | source",
        "zeroconf-ai endpoint --env > .env",
        "zeroconf-ai endpoint --exec opencode -- run 'explain this project'",
    ),
    "enroll": (
        "zeroconf-ai enroll attic.local:8000",
        "zeroconf-ai enroll attic.local:8000 --code-file code.txt --pin SHA256",
        "zeroconf-ai enroll attic.local:8000 --ask-owner",
    ),
    "household": ("zeroconf-ai household", "zeroconf-ai household > household.code   # for ZEROCONF_AI_HOUSEHOLD_FILE"),
    "keys confirm-loss": ("zeroconf-ai keys confirm-loss",),
    "keys create": (
        "zeroconf-ai keys create Phone",
        "zeroconf-ai keys create Tablet --model 'qwen*' --budget 5/month --expires 90d",
        "zeroconf-ai keys create Me --endpoint admin",
    ),
    "keys disable": ("zeroconf-ai keys disable Phone",),
    "keys enable": ("zeroconf-ai keys enable Phone",),
    "keys list": ("zeroconf-ai keys list", "zeroconf-ai keys list --label Kitchen --json"),
    "keys revoke": ("zeroconf-ai keys revoke Phone",),
    "keys rotate": ("zeroconf-ai keys rotate Phone --overlap 1h",),
    "keys update": ("zeroconf-ai keys update Phone --budget 5/month --label Kitchen",),
    "mcp": ("zeroconf-ai mcp", "zeroconf-ai mcp --provider http://192.0.2.10:8000 --http 8080"),
    "models": ("zeroconf-ai models", "zeroconf-ai models --provider http://192.0.2.10:8000 --json | jq -r '.models[].id'"),
    "models delete": ("zeroconf-ai models delete llama2:7b",),
    "models held": ("zeroconf-ai models held",),
    "models load": ("zeroconf-ai models load qwen3:8b --keep-alive 2h",),
    "models pull": ("zeroconf-ai models pull qwen3:8b",),
    "models unload": ("zeroconf-ai models unload qwen3:8b",),
    "replay": ("zeroconf-ai replay recording --port 9000",),
    "serve": (
        "zeroconf-ai serve",
        "zeroconf-ai serve --upstream ollama --upstream vllm=http://localhost:8001/v1",
        "zeroconf-ai serve --config providers.yaml --name Attic",
        "zeroconf-ai serve --tls",
        "zeroconf-ai serve --tls --auth mtls",
        "zeroconf-ai serve --demo",
    ),
    "service install": (
        "zeroconf-ai service install --upstream ollama",
        "zeroconf-ai service install --print --config providers.yaml",
        "zeroconf-ai service install connect --parallel 2",
    ),
    "service status": ("zeroconf-ai service status",),
    "service uninstall": ("zeroconf-ai service uninstall",),
    "status": ("zeroconf-ai status", "zeroconf-ai status --provider http://192.0.2.10:8000"),
    "usage": (
        "zeroconf-ai usage",
        "zeroconf-ai usage --from 2030-01-01 --group-by model --group-by key",
        "zeroconf-ai usage --format csv > usage.csv",
    ),
    "users block": ("zeroconf-ai users block ada@example.net",),
    "users forget": ("zeroconf-ai users forget ada@example.net",),
    "users list": ("zeroconf-ai users list", "zeroconf-ai users list --json | jq -r '.[].email'"),
    "users unblock": ("zeroconf-ai users unblock ada@example.net",),
}
"""Words of the command → examples."""


def add_examples(command: click.Command, path: str) -> None:
    """End the help of a command, and of those below it, with its examples."""
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            add_examples(one, f"{path} {name}")
    if lines := EXAMPLES.get(path):
        command.epilog = "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))
