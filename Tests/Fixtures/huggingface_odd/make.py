"""Writes this folder's fixtures: a GPT-2 that has everything in its config.json that most have not, and its logits.

    pip install torch transformers safetensors && python3 Tests/Fixtures/huggingface_odd/make.py

Written with torch 2.13 and transformers 5.24. `older` is the same model as older versions saved it: two files of PyTorch with an
index, in which lm_head.weight is left out.
"""
import json
import pathlib

import torch
from transformers import GPT2Config, GPT2LMHeadModel

folder = pathlib.Path(__file__).parent
torch.manual_seed(21)
config = GPT2Config(
    vocab_size=13, n_positions=8, n_embd=8, n_layer=3, n_head=2, n_inner=20, activation_function="gelu_fast",
    layer_norm_epsilon=1e-3, scale_attn_weights=False, scale_attn_by_inverse_layer_idx=True, reorder_and_upcast_attn=True,
    tie_word_embeddings=False, bos_token_id=None, eos_token_id=None,
)
model = GPT2LMHeadModel(config).eval()
with torch.no_grad():
    # Larger than the initialization, so that every part shows in the logits; biases and LayerNorms too.
    for parameter in model.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.3)
    tokens = torch.tensor([[3, 0, 12, 7, 7, 1, 9, 4]])
    logits = model(tokens).logits[0]
model.save_pretrained(folder)
(folder / "generation_config.json").unlink(missing_ok=True)
(folder / "logits.json").write_text(
    json.dumps({"tokens": tokens[0].tolist(), "logits": [[round(v, 6) for v in row] for row in logits.tolist()]}) + "\n"
)

older = folder / "older"
older.mkdir(exist_ok=True)
(older / "config.json").write_bytes((folder / "config.json").read_bytes())
weights = model.state_dict()
parts = {"pytorch_model-00001-of-00002.bin": {}, "pytorch_model-00002-of-00002.bin": {}}
for name, tensor in weights.items():
    parts[sorted(parts)[".h.2." in name or "ln_f" in name or "lm_head" in name]][name] = tensor.clone()
for name, tensors in parts.items():
    torch.save(tensors, older / name)
places = {tensor: name for name, tensors in parts.items() for tensor in tensors if tensor != "lm_head.weight"}
index = {"metadata": {"total_size": sum(t.numel() * 4 for t in weights.values())}, "weight_map": places}
(older / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=1) + "\n")
