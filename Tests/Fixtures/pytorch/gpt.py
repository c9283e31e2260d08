"""GPT-2 in PyTorch as nanoGPT trains it: what the Swift program has to compute.

Written for this project's goldens, for scripts/compare/pytorch.sh and scripts/compare/speed.sh. Parameters go in and out
under Hugging Face's names, linear weights (in, out), as the Swift side keeps them.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass
class Config:
    n_layer: int
    n_head: int
    n_embd: int
    block_size: int
    vocab_size: int
    bias: bool
    activation: str  # gelu, gelu_tanh or relu
    dropout: float = 0.0


def dropout(config):
    """Nothing at all where nothing is dropped, so that it takes no time either."""
    return nn.Dropout(config.dropout) if config.dropout else nn.Identity()


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.n_head = config.n_head
        self.p = config.dropout
        self.dropout = dropout(config)
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = (
            part.view(B, T, self.n_head, C // self.n_head).transpose(1, 2) for part in self.c_attn(x).split(C, dim=2)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=self.p if self.training else 0.0)
        return self.dropout(self.c_proj(y.transpose(1, 2).reshape(B, T, C)))


class MLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd, bias=config.bias)
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd, bias=config.bias)
        self.activation = {
            "gelu": F.gelu,
            "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
            "relu": F.relu,
        }[config.activation]
        self.dropout = dropout(config)

    def forward(self, x):
        return self.dropout(self.c_proj(self.activation(self.c_fc(x))))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.attn = Attention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.mlp = MLP(config)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(config.vocab_size, config.n_embd),
                "wpe": nn.Embedding(config.block_size, config.n_embd),
                "drop": dropout(config),
                "h": nn.ModuleList(Block(config) for _ in range(config.n_layer)),
                "ln_f": nn.LayerNorm(config.n_embd, bias=config.bias),
            }
        )

    def forward(self, tokens, targets=None):
        """Logits (B, T, V), and the mean loss in nats if there are targets."""
        t = self.transformer
        x = t.drop(t.wte(tokens) + t.wpe(torch.arange(tokens.shape[1])))
        for block in t.h:
            x = block(x)
        logits = t.ln_f(x) @ t.wte.weight.T
        loss = None if targets is None else F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        return logits, loss

    def load(self, tensors):
        """Takes parameters in Hugging Face's layout; the model must need exactly what it is given."""
        self.load_state_dict({name: _swapped(name, value) for name, value in tensors.items()})

    def tensors(self, of=lambda parameter: parameter.detach()):
        """Parameters (or what `of` finds of each, such as its gradient) in Hugging Face's layout."""
        return {name: _swapped(name, of(value)).contiguous() for name, value in self.named_parameters()}

    def optimizer(self, learning_rate, weight_decay, betas, **form):
        """AdamW that decays tensors of two or more dimensions; `form` may say `fused` or `foreach`."""
        groups = [
            {"params": [p for p in self.parameters() if p.dim() >= 2], "weight_decay": weight_decay},
            {"params": [p for p in self.parameters() if p.dim() < 2], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=learning_rate, betas=betas, **form)


def _swapped(name, value):
    """nn.Linear keeps (out, in), Hugging Face's GPT-2 (in, out)."""
    linear = any(f".{layer}.weight" in name for layer in ("c_attn", "c_proj", "c_fc"))
    return value.T if linear else value


def learning_rate(step, options):
    """nanoGPT's schedule: warm-up from above zero, then a cosine down to min_lr."""
    if step < options["warmup_iters"]:
        return options["learning_rate"] * (step + 1) / (options["warmup_iters"] + 1)
    if step > options["lr_decay_iters"]:
        return options["min_lr"]
    ratio = (step - options["warmup_iters"]) / (options["lr_decay_iters"] - options["warmup_iters"])
    return options["min_lr"] + 0.5 * (1 + math.cos(math.pi * ratio)) * (options["learning_rate"] - options["min_lr"])


def train(model, data, options):
    """Trains on consecutive pieces of `data`, round and round (sampling=sequential); yields loss and gradient norm of each step."""
    optimizer = model.optimizer(
        options["learning_rate"], options["weight_decay"], (options["beta1"], options["beta2"])
    )
    accumulation, batch, block = options["gradient_accumulation_steps"], options["batch_size"], options["block_size"]
    for step in range(options["max_iters"]):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, options)
        total = 0.0
        for micro in range(accumulation):
            starts = torch.arange(batch)[:, None] * block + (step * accumulation + micro) * batch * block
            windows = data[(starts + torch.arange(block + 1)) % len(data)]  # the tokens are a ring
            _, loss = model(windows[:, :-1], windows[:, 1:])
            (loss / accumulation).backward()
            total += loss.item() / accumulation
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), options["grad_clip"]).item()
        optimizer.step()
        optimizer.zero_grad()
        yield total, norm
