"""Makes a language model of a few hundred kilobytes that any llama.cpp runs: `python tiny_gguf.py FILE`.

Its weights are random numbers, always the same ones, so it talks nonsense, in words. What it is for is everything around
the words: streams, tokens counted, and above all grammars, which llama.cpp makes of tools and JSON schemas and to which
even this model is held. A thumb is on the scales: what is no word is said only where a grammar asks for it, and what ends
a text or begins a tool call comes up now and then, so that answers are short.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
import string
import sys

import gguf
import numpy as np
import numpy.typing as npt

CONTEXT = 32_768
"""Tokens that it was, so to speak, trained for."""

_WIDTH, _HEADS, _LAYERS, _INNER = 64, 4, 2, 128
_WORDS = """
    the a of to in and is it on at by for with from this that not be are was one two home house room light lamp door window
    kitchen garden warm cold dark bright open closed now then soon here there who what when where why how yes no please thank
    good morning evening night day time day sun rain snow wind tea bread cat dog bird tree blue green red white small large
""".split()
_SAID = frozenset(f"▁{word}" for word in _WORDS)
_CALL = "<tool_call>"
_TURNS = {'"': 2.0, "<|im_end|>": 2.0, _CALL: 1.0}
"""What ends a text or begins a tool call, and its logit: 2.0 is once in about 30 words."""
_NEVER, _RARELY = -40.0, -10.0
"""Added to a token's logit, which has a spread of about 1 without."""

CHAT_TEMPLATE = """\
{%- if tools %}<|im_start|>system
You may call functions. These are their signatures:
<tools>
{%- for tool in tools %}{{ '\\n' + (tool | tojson) }}{% endfor %}
</tools>
A call is a JSON object with its name and arguments within these tags:
<tool_call>{"name": <name>, "arguments": <arguments>}</tool_call><|im_end|>
{% endif %}
{%- for message in messages %}
{%- if message.role == 'tool' %}<|im_start|>user
<tool_response>
{{ message.content }}
</tool_response><|im_end|>
{% else %}<|im_start|>{{ message.role + '\\n' }}{{ message.content or '' }}
{%- for call in message.tool_calls or [] %}
<tool_call>{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}</tool_call>
{%- endfor %}<|im_end|>
{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def vocabulary() -> tuple[list[str], list[float], list[gguf.TokenType]]:
    """Tokens, their scores and their types: SentencePiece's, where a byte stands in for what no token spells."""
    control = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
    words = [f"▁{word}" for word in dict.fromkeys(_WORDS)]
    pieces = ["▁", "\n", *string.ascii_letters, *string.digits, *string.punctuation]
    # A word is put together from its letters, pair by pair; what it passes through has to be a token too.
    steps = sorted({word[:end] for word in words for end in range(2, len(word))} - set(words) - set(pieces))
    tokens = [*control, _CALL, *(f"<0x{byte:02X}>" for byte in range(256)), *pieces, *steps, *words]
    normal = [*pieces, *steps, *words]
    scores = [0.0] * (len(control) + 1 + 256) + [float(-number) for number in range(len(normal))]
    types = [gguf.TokenType.UNKNOWN, *[gguf.TokenType.CONTROL] * 4, gguf.TokenType.USER_DEFINED, *[gguf.TokenType.BYTE] * 256]
    return tokens, scores, [*types, *[gguf.TokenType.NORMAL] * len(normal)]


def leaning(token: str, kind: gguf.TokenType) -> float:
    """What is added to the logit of a token, whatever came before."""
    if token in _TURNS:
        return _TURNS[token]
    if token in _SAID:
        return 0.0
    # Letters, digits, brackets: fine where a grammar asks for them, and only there.
    return _RARELY if kind is gguf.TokenType.NORMAL else _NEVER


def write(path: Path) -> None:
    """Write the model. It is the same to the byte every time."""
    tokens, scores, types = vocabulary()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("Tiny nonsense")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_INNER)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)
    for name, tensor in weights(tokens, types):
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def weights(tokens: Sequence[str], types: Sequence[gguf.TokenType]) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """The tensors by their names, each (outputs, inputs).

    The first of the `_WIDTH` numbers that describe a token is the same for all of them and no layer touches it: what the
    last layer multiplies it with is a constant in the logit.
    """
    random = np.random.default_rng(seed=1)

    def matrix(rows: int, columns: int, scale: float) -> npt.NDArray[np.float32]:
        return random.normal(0.0, scale, (rows, columns)).astype(np.float32)

    def ones() -> npt.NDArray[np.float32]:
        return np.ones(_WIDTH, dtype=np.float32)

    embeddings = matrix(len(tokens), _WIDTH, 1.0)
    embeddings[:, 0] = _WIDTH**0.5
    yield "token_embd.weight", embeddings
    for layer in range(_LAYERS):
        yield f"blk.{layer}.attn_norm.weight", ones()
        for name in ("attn_q", "attn_k", "attn_v"):
            yield f"blk.{layer}.{name}.weight", matrix(_WIDTH, _WIDTH, _WIDTH**-0.5)
        yield f"blk.{layer}.ffn_norm.weight", ones()
        for name in ("ffn_gate", "ffn_up"):
            yield f"blk.{layer}.{name}.weight", matrix(_INNER, _WIDTH, _WIDTH**-0.5)
        for name, columns in (("attn_output", _WIDTH), ("ffn_down", _INNER)):
            back = matrix(_WIDTH, columns, columns**-0.5)
            back[0] = 0.0
            yield f"blk.{layer}.{name}.weight", back
    yield "output_norm.weight", ones()
    output = matrix(len(tokens), _WIDTH, _WIDTH**-0.5)
    # After the last norm, the constant is about this large: it is as large as all others together.
    constant = (_WIDTH / 2) ** 0.5
    output[[tokens.index(token) for token in _TURNS]] = 0.0  # no chance in these
    # Nor an answer without a word: what ends one is hardly said after the line's end with which its turn begins.
    begin = embeddings[tokens.index("\n")]
    output[tokens.index("<|im_end|>")] = -begin / np.linalg.norm(begin[1:])
    output[:, 0] = np.array([leaning(*pair) for pair in zip(tokens, types, strict=True)]) / constant
    yield "output.weight", output


if __name__ == "__main__":
    write(Path(sys.argv[1]))
