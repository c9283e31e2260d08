"""Writes this folder's fixture: a random GPT-2 with 288 tokens, for fine-tuning, as transformers saves it.

    pip install torch transformers && python3 Tests/Fixtures/huggingface_small/make.py

Written with torch 2.13 and transformers 5.24.
"""
import pathlib

import torch
from transformers import GPT2Config, GPT2LMHeadModel

folder = pathlib.Path(__file__).parent / "model"
torch.manual_seed(40)
config = GPT2Config(vocab_size=288, n_positions=32, n_embd=16, n_layer=2, n_head=2, bos_token_id=None, eos_token_id=None)
GPT2LMHeadModel(config).to(torch.bfloat16).save_pretrained(folder)
(folder / "generation_config.json").unlink(missing_ok=True)
