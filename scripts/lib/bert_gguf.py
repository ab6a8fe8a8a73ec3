"""Converts a BERT of sentence-transformers to GGUF, for llama.cpp to make embeddings with: `python bert_gguf.py FOLDER FILE`.

The folder is as the Hub has it: config.json, vocab.txt, model.safetensors, modules.json and 1_Pooling/config.json.
"""

from collections.abc import Iterator, Mapping
import json
from pathlib import Path
import sys
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

type Tensor = npt.NDArray[np.float32] | npt.NDArray[np.float16]

_SPECIAL = {"unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "mask": "[MASK]"}
_NOT_USED = ("pooler.", "embeddings.position_ids")
"""Sentence embeddings are means of the last layer: the pooler was trained for another task."""
_KEPT_WHOLE = ("position_embd.", "token_types.")
"""Matrices that llama.cpp adds rather than multiplies, which it does with 32 bits."""


def read_safetensors(path: Path) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """The file's tensors by name. Raises ValueError for one that has no 32-bit floats but those that are not used."""
    data = np.memmap(path, dtype=np.uint8, mode="r")
    start = 8 + int.from_bytes(data[:8].tobytes(), "little")
    header: dict[str, Any] = json.loads(data[8:start].tobytes())
    for name, entry in header.items():
        if name == "__metadata__" or name.startswith(_NOT_USED):
            continue
        if entry["dtype"] != "F32":
            raise ValueError(f"{path}: {name} is {entry['dtype']}; only F32 is read here")
        begin, end = entry["data_offsets"]
        yield name, data[start + begin : start + end].view(np.float32).reshape(entry["shape"])


def word_pieces(path: Path) -> tuple[list[str], list[gguf.TokenType]]:
    """The vocabulary as llama.cpp takes it: what begins a word is marked, instead of what goes on with it."""
    tokens = path.read_text(encoding="utf-8").splitlines()
    types = [gguf.TokenType.CONTROL if token in {"[CLS]", *_SPECIAL.values()} else gguf.TokenType.NORMAL for token in tokens]
    marked = [
        token if kind is gguf.TokenType.CONTROL else token[2:] if token.startswith("##") else f"▁{token}"
        for token, kind in zip(tokens, types, strict=True)
    ]
    return marked, types


def convert(folder: Path, target: Path) -> None:
    """Write the model in the folder to `target`, the matrices as 16-bit floats. Raises ValueError where it is no such model."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    pooling = json.loads((folder / "1_Pooling" / "config.json").read_text(encoding="utf-8"))
    if config["model_type"] != "bert" or not pooling["pooling_mode_mean_tokens"]:
        raise ValueError(f"{folder} is not a BERT whose embeddings are means")
    writer = gguf.GGUFWriter(target, "bert")
    writer.add_name(folder.name)
    add_shape(writer, config)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_causal_attention(False)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    tokens, types = word_pieces(folder / "vocab.txt")
    writer.add_tokenizer_model("bert")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_type_count(config["type_vocab_size"])
    writer.add_bos_token_id(tokens.index("[CLS]"))
    writer.add_uint32(gguf.Keys.Tokenizer.UNK_ID, tokens.index(_SPECIAL["unk"]))
    writer.add_sep_token_id(tokens.index(_SPECIAL["sep"]))
    writer.add_pad_token_id(tokens.index(_SPECIAL["pad"]))
    writer.add_mask_token_id(tokens.index(_SPECIAL["mask"]))
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, config["num_hidden_layers"])
    for name, tensor in read_safetensors(folder / "model.safetensors"):
        known = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if known is None:
            raise ValueError(f"{folder}: {name} is no part of a BERT")
        writer.add_tensor(known, packed(known, tensor))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_shape(writer: gguf.GGUFWriter, config: Mapping[str, Any]) -> None:
    """Tell how many layers, heads and numbers there are."""
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])


def packed(name: str, tensor: npt.NDArray[np.float32]) -> Tensor:
    """The tensor as it is stored."""
    return tensor if tensor.ndim == 1 or name.startswith(_KEPT_WHOLE) else tensor.astype(np.float16)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
