"""Makes variants.json and variants.safetensors of this folder: python3 make_variants.py

Needs torch and safetensors from PyPI (made with torch 2.13.0).

Each variant of the model (the keys of VARIANTS are Transformer's names for them) is computed in float64 by plain functions below
and stored as float32:

    variants.json         the shape, tokens, targets, and for each variant its settings and the mean loss
    variants.safetensors  parameters under their names; VARIANT/logits (B, T, V) and VARIANT/NAME, the gradient of each parameter
"""

import json
import math
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy, gelu, layer_norm, silu

FOLDER = Path(__file__).parent
L, H, C, T, V, B = 2, 2, 8, 40, 11, 2
D = C // H
VARIANTS = {
    "none": {},
    "no mask": {"causal_mask": "false"},
    "window": {"attention_window": "7"},
    "window and sinks": {"attention_window": "5", "attention_sinks": "2"},
    "window without mask": {"causal_mask": "false", "attention_window": "4"},
    "temperature": {"attention_temperature": "0.5"},
    "plain": {"attention": "plain"},
    "no positions": {"position_embedding": "none"},
    "rotary": {"position_embedding": "rotary"},
    "alibi": {"position_embedding": "alibi"},
    "alibi without mask": {"position_embedding": "alibi", "causal_mask": "false"},
    "residual around attention": {"residual": "attention"},
    "residual around the mlp": {"residual": "mlp"},
    "no residual": {"residual": "none"},
    "rmsnorm": {"norm": "rmsnorm"},
    "no norm": {"norm": "none"},
    "post": {"norm_position": "post"},
    "post with rmsnorm, no residual around attention": {"norm_position": "post", "norm": "rmsnorm", "residual": "mlp"},
    "untied head": {"tied_head": "false"},
    "ablated heads": {"ablate_heads": "0.1,1.0"},
    "relu_squared": {"activation": "relu_squared"},
    "silu": {"activation": "silu"},
}
ACTIVATIONS = {"gelu": gelu, "relu_squared": lambda x: torch.relu(x) ** 2, "silu": silu}


def make_parameters(generator):
    shapes = {"transformer.wte.weight": (V, C), "transformer.wpe.weight": (T, C)}
    for layer in range(L):
        for name, shape in {
            "ln_1": (C,), "attn.c_attn": (C, 3 * C), "attn.c_proj": (C, C), "ln_2": (C,), "mlp.c_fc": (C, 4 * C),
            "mlp.c_proj": (4 * C, C),
        }.items():
            shapes[f"transformer.h.{layer}.{name}.weight"] = shape
            shapes[f"transformer.h.{layer}.{name}.bias"] = shape[-1:]
    shapes |= {"transformer.ln_f.weight": (C,), "transformer.ln_f.bias": (C,), "lm_head.weight": (V, C)}
    values = {}
    for name, shape in shapes.items():
        is_norm = "ln_" in name
        values[name] = torch.randn(shape, generator=generator) * (0.1 if is_norm or name.endswith("bias") else 0.4)
        if is_norm and name.endswith("weight"):
            values[name] += 1
    return values


def rotate(x):  # (B, H, T, D)
    angles = torch.arange(x.shape[2]).double()[:, None] / 10000 ** (2 * torch.arange(D // 2).double() / D)
    cos, sin = angles.cos(), angles.sin()
    a, b = x[..., : D // 2], x[..., D // 2:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def attention(x, p, layer, get):
    q, k, v = (part.view(B, T, H, D).transpose(1, 2) for part in (x @ p("attn.c_attn.weight") + p("attn.c_attn.bias")).split(C, -1))
    if get("position_embedding", "learned") == "rotary":
        q, k = rotate(q), rotate(k)
    scores = q @ k.transpose(-1, -2) / math.sqrt(D) / float(get("attention_temperature", "1"))
    query, key = torch.arange(T)[:, None], torch.arange(T)[None, :]
    if get("position_embedding", "learned") == "alibi":
        slopes = torch.tensor([2 ** (-8 * (h + 1) / H) for h in range(H)]).double()
        scores = scores - slopes[:, None, None] * (query - key).abs()
    seen = torch.ones(T, T, dtype=torch.bool)
    if get("causal_mask", "true") == "true":
        seen &= key <= query
    window, sinks = int(get("attention_window", "0")), int(get("attention_sinks", "0"))
    if window:
        seen &= ((query - key).abs() < window) | (key < sinks)
    y = scores.masked_fill(~seen, -math.inf).softmax(-1) @ v
    for name in filter(None, get("ablate_heads", "").split(",")):
        if int(name.split(".")[0]) == layer:
            keep = torch.ones(H).double()
            keep[int(name.split(".")[1])] = 0
            y = y * keep[:, None, None]
    return y.transpose(1, 2).reshape(B, T, C) @ p("attn.c_proj.weight") + p("attn.c_proj.bias")


def logits_of(parameters, tokens, settings):
    get = settings.get

    def norm(x, name):
        kind = get("norm", "layernorm")
        if kind == "none":
            return x
        weight, bias = parameters[name + ".weight"], parameters[name + ".bias"]
        if kind == "rmsnorm":
            return x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1e-5) * weight + bias
        return layer_norm(x, (C,), weight, bias, 1e-5)

    x = parameters["transformer.wte.weight"][tokens]
    if get("position_embedding", "learned") == "learned":
        x = x + parameters["transformer.wpe.weight"]
    residual, post = get("residual", "both"), get("norm_position", "pre") == "post"
    activation = ACTIVATIONS[get("activation", "gelu")]
    for layer in range(L):
        prefix = f"transformer.h.{layer}."
        p = lambda name: parameters[prefix + name]
        mlp = lambda x: activation(x @ p("mlp.c_fc.weight") + p("mlp.c_fc.bias")) @ p("mlp.c_proj.weight") + p("mlp.c_proj.bias")
        for name, function, keeps in (
            ("ln_1", lambda x: attention(x, p, layer, get), residual in ("both", "attention")),
            ("ln_2", mlp, residual in ("both", "mlp")),
        ):
            y = function(x if post else norm(x, prefix + name))
            x = x + y if keeps else y
            if post:
                x = norm(x, prefix + name)
    if not post:
        x = norm(x, "transformer.ln_f")
    head = "transformer.wte.weight" if get("tied_head", "true") == "true" else "lm_head.weight"
    return x @ parameters[head].T


def main():
    generator = torch.Generator().manual_seed(20)
    stored = make_parameters(generator)
    tokens = torch.randint(V, (B, T), generator=generator)
    targets = torch.randint(V, (B, T), generator=generator)
    tensors, variants = dict(stored), []
    for name, settings in VARIANTS.items():
        parameters = {key: value.double().requires_grad_() for key, value in stored.items()}
        logits = logits_of(parameters, tokens, settings)
        loss = cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
        tensors[f"{name}/logits"] = logits.detach().float()
        for key, value in parameters.items():
            if value.grad is not None:
                tensors[f"{name}/{key}"] = value.grad.float()
        variants.append({"name": name, "settings": settings, "loss": loss.item()})
    shape = {"n_layer": L, "n_head": H, "n_embd": C, "block_size": T, "vocab_size": V}
    text = {"shape": shape, "tokens": tokens.flatten().tolist(), "targets": targets.flatten().tolist(), "variants": variants}
    (FOLDER / "variants.json").write_text(json.dumps(text) + "\n")
    save_file({key: value.contiguous() for key, value in tensors.items()}, FOLDER / "variants.safetensors")


if __name__ == "__main__":
    main()
