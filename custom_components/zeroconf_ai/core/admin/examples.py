"""Examples for programs, shown together with a new API key."""

import json

from ..protocol.models import AUTO


def examples(base_url: str, secret: str, model: str = AUTO, question: str = "Hello") -> dict[str, str]:
    """A request for `model` with curl and with OpenAI's library for Python, by name: "curl" and "python"."""
    messages = json.dumps([{"role": "user", "content": question}])
    curl = (
        f"curl {base_url}/chat/completions \\\n"
        f'  -H "Authorization: Bearer {secret}" \\\n'
        f'  -H "Content-Type: application/json" \\\n'
        f'  -d \'{{"model": "{model}", "messages": {messages}}}\''
    )
    python = (
        "from openai import OpenAI\n\n"
        f'client = OpenAI(base_url="{base_url}", api_key="{secret}")\n'
        "stream = client.chat.completions.create(\n"
        f'    model="{model}",\n'
        f"    messages={messages},\n"
        "    stream=True,\n"
        ")\n"
        "for chunk in stream:\n"
        '    print(chunk.choices[0].delta.content or "", end="", flush=True)'
    )
    return {"curl": curl, "python": python}
