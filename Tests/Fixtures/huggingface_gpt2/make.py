"""Writes this folder's fixture: a tiny random GPT-2 as transformers saves it, and its logits for one sequence.

    pip install torch transformers && python3 Tests/Fixtures/huggingface_gpt2/make.py

Written with torch 2.13 and transformers 5.23.
"""
import json
import pathlib

import torch
from transformers import GPT2Config, GPT2LMHeadModel

folder = pathlib.Path(__file__).parent
torch.manual_seed(20)
config = GPT2Config(
    vocab_size=13, n_positions=8, n_embd=12, n_layer=2, n_head=3, bos_token_id=None, eos_token_id=None
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
