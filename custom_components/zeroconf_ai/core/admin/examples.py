"""Settings and examples for programs, shown together with a new API key."""

import json

from ..protocol.models import AUTO


def examples(base_url: str, secret: str, model: str = AUTO, question: str = "Hello") -> dict[str, str]:
    """What to run, or to write into a program's settings, by the name of the program, for `model` of a gateway.

    `base_url` ends in `/v1`. The settings are those with which `scripts/clients` runs the programs.
    """
    messages = json.dumps([{"role": "user", "content": question}])
    return {
        "curl": (
            f"curl {base_url}/chat/completions \\\n"
            f'  -H "Authorization: Bearer {secret}" \\\n'
            f'  -H "Content-Type: application/json" \\\n'
            f'  -d \'{{"model": "{model}", "messages": {messages}}}\''
        ),
        "python": (
            "from openai import OpenAI\n\n"
            f'client = OpenAI(base_url="{base_url}", api_key="{secret}")\n'
            "stream = client.chat.completions.create(\n"
            f'    model="{model}",\n'
            f"    messages={messages},\n"
            "    stream=True,\n"
            ")\n"
            "for chunk in stream:\n"
            '    print(chunk.choices[0].delta.content or "", end="", flush=True)'
        ),
        "javascript": (
            'import OpenAI from "openai";\n\n'
            f'const client = new OpenAI({{ baseURL: "{base_url}", apiKey: "{secret}" }});\n'
            "const stream = await client.chat.completions.create({\n"
            f'  model: "{model}",\n'
            f"  messages: {messages},\n"
            "  stream: true,\n"
            "});\n"
            'for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? "");'
        ),
        "opencode": json.dumps(_opencode(base_url, secret, model), indent=2),
        "open_webui": (
            "docker run -p 3000:8080 -v open-webui:/app/backend/data \\\n"
            f"  -e OPENAI_API_BASE_URL={base_url} \\\n"
            f"  -e OPENAI_API_KEY={secret} \\\n"
            "  ghcr.io/open-webui/open-webui:main"
        ),
        "claude_code": (
            f"export ANTHROPIC_BASE_URL={base_url.removesuffix('/v1')}\n"
            f"export ANTHROPIC_AUTH_TOKEN={secret}\n"
            f"export ANTHROPIC_SMALL_FAST_MODEL={model}\n"
            f"claude --model {model}"
        ),
        "continue": (
            "name: Home\n"
            "version: 0.0.1\n"
            "schema: v1\n"
            "models:\n"
            "  - name: Home\n"
            "    provider: openai\n"
            f"    model: {model}\n"
            f"    apiBase: {base_url}\n"
            f"    apiKey: {secret}\n"
            "    roles: [chat, edit, apply]"
        ),
    }


def _opencode(base_url: str, secret: str, model: str) -> dict[str, object]:
    return {
        "$schema": "https://opencode.ai/config.json",
        "provider": {
            "home": {
                "npm": "@ai-sdk/openai-compatible",
                "name": "Home",
                "options": {"baseURL": base_url, "apiKey": secret},
                "models": {model: {"name": model}},
            }
        },
    }
