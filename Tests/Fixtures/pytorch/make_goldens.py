"""Makes the goldens of this folder: python3 make_goldens.py

Needs torch, transformers, safetensors and numpy from PyPI (made with torch 2.13.0, transformers 5.23.0).

Everything is computed in float64 from parameters that float32 holds exactly, and stored as float32: the goldens are then
good to 6e-8, and a comparison measures the Swift side alone. The script also checks that PyTorch in float32 agrees, and
that transformers' GPT2LMHeadModel computes the same wherever it has such a model (with biases).

KIND is gelu, gelu_tanh or relu, with _bias where the model has biases; odd_ has a shape that is a multiple of nothing.

    parameters.safetensors        shared by the KINDs; those without biases leave the biases out
    KIND.json                     configuration, tokens, targets, loss
    KIND.safetensors              logits (B, T, V), and each parameter's gradient under the parameter's name
    dataset/                      train.bin, val.bin, meta.pkl as nanoGPT's prepare.py writes them
    training_KIND.json            options, and loss and gradient norm of each of 20 steps
    training_KIND.safetensors     the parameters after them, starting from parameters.safetensors
"""

import json
import pickle
from dataclasses import asdict, replace
from pathlib import Path

import numpy
import torch
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel

from gpt import GPT, Config, train

FOLDER = Path(__file__).parent
BASE = Config(n_layer=2, n_head=2, n_embd=16, block_size=16, vocab_size=37, bias=True, activation="gelu")
ODD = Config(n_layer=1, n_head=3, n_embd=15, block_size=14, vocab_size=29, bias=True, activation="gelu")
TRAINING = dict(
    max_iters=20, batch_size=4, block_size=16, gradient_accumulation_steps=2, learning_rate=1e-2, min_lr=1e-3,
    warmup_iters=4, lr_decay_iters=20, weight_decay=0.1, beta1=0.9, beta2=0.95, grad_clip=1.0,
)


def random_parameters(config, generator):
    """Far larger than an initialization's, so that no layer's part is too small to be seen."""
    def one(name, shape):
        scale = 0.1 if "ln_" in name or name.endswith("bias") else 0.25
        values = torch.randn(shape, generator=generator) * scale
        return values + 1 if "ln_" in name and name.endswith("weight") else values

    return {name: one(name, value.shape) for name, value in GPT(config).tensors().items()}


def for_config(parameters, config):
    return {name: value for name, value in parameters.items() if config.bias or not name.endswith("bias")}


def run(config, parameters, tokens, targets, dtype=torch.float64):
    model = GPT(config).to(dtype)
    model.load({name: value.to(dtype) for name, value in parameters.items()})
    logits, loss = model(tokens, targets)
    loss.backward()
    return logits.detach(), loss.item(), model.tensors(lambda p: p.grad)


def run_transformers(config, parameters, tokens, targets):
    names = {"gelu": "gelu", "gelu_tanh": "gelu_new", "relu": "relu"}
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=config.vocab_size, n_positions=config.block_size, n_embd=config.n_embd, n_layer=config.n_layer,
            n_head=config.n_head, activation_function=names[config.activation], layer_norm_epsilon=1e-5,
            resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, bos_token_id=0, eos_token_id=0,
        )
    ).double()
    missing = model.load_state_dict({name: value.double() for name, value in parameters.items()}, strict=False)
    assert set(missing.missing_keys) <= {"lm_head.weight"} and not missing.unexpected_keys, missing
    model.tie_weights()
    logits = model(tokens).logits
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    loss.backward()
    return logits.detach(), loss.item(), {name: p.grad for name, p in model.named_parameters() if name != "lm_head.weight"}


def expect_equal(what, ours, theirs, tolerance):
    (logits, loss, gradients), (other_logits, other_loss, other_gradients) = ours, theirs
    assert abs(loss - other_loss) <= tolerance, f"{what}: loss {loss} and {other_loss}"
    assert gradients.keys() == other_gradients.keys(), what
    pairs = [("logits", logits, other_logits)] + [(name, gradients[name], other_gradients[name]) for name in gradients]
    for name, a, b in pairs:
        # The key third of c_attn's bias has a gradient of zero, hence the absolute part.
        assert (a - b).norm() <= tolerance * (a.norm() + 0.01), f"{what}: {name} differs by {(a - b).norm() / a.norm()}"


def save(path, tensors):
    save_file({name: value.float().contiguous() for name, value in tensors.items()}, path)
    path.chmod(0o644)


def write_json(path, content):
    lines = [f'  {json.dumps(key)}: {json.dumps(value)}' for key, value in content.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def golden(name, config, parameters, generator, batch, length):
    """Loss and gradients of one batch, in sequences shorter than the block."""
    text = torch.randint(config.vocab_size, (batch, length + 1), generator=generator)
    tokens, targets = text[:, :-1], text[:, 1:]
    parameters = for_config(parameters, config)
    result = logits, loss, gradients = run(config, parameters, tokens, targets)
    expect_equal(f"{name} in float32", result, run(config, parameters, tokens, targets, torch.float32), 2e-5)
    if config.bias:
        expect_equal(f"{name} in transformers", result, run_transformers(config, parameters, tokens, targets), 1e-5)
    save(FOLDER / f"{name}.safetensors", {"logits": logits} | gradients)
    write_json(
        FOLDER / f"{name}.json",
        {"configuration": asdict(config), "sequence_length": length, "tokens": tokens.flatten().tolist(),
         "targets": targets.flatten().tolist(), "loss": loss},
    )


def make_dataset(generator):
    """Tokens with something to learn: each is a step of 1, 2 or 3 after the one before, round a circle of 37."""
    count = 1000  # 20 steps go round them two and a half times
    steps = torch.randint(1, 4, (count + 256,), generator=generator)
    tokens = torch.cumsum(steps, 0) % BASE.vocab_size
    folder = FOLDER / "dataset"
    folder.mkdir(exist_ok=True)
    tokens[:count].numpy().astype(numpy.uint16).tofile(folder / "train.bin")
    tokens[count:].numpy().astype(numpy.uint16).tofile(folder / "val.bin")
    characters = [chr(ord("A") + i) for i in range(BASE.vocab_size)]
    meta = {
        "vocab_size": BASE.vocab_size,
        "itos": dict(enumerate(characters)),
        "stoi": {c: i for i, c in enumerate(characters)},
    }
    with open(folder / "meta.pkl", "wb") as file:
        pickle.dump(meta, file)
    return tokens[:count]


def training_golden(name, config, parameters, data):
    runs = []
    for dtype in (torch.float64, torch.float32):
        model = GPT(config).to(dtype)
        model.load({name: value.to(dtype) for name, value in for_config(parameters, config).items()})
        runs.append((list(train(model, data, TRAINING)), model))
    (steps, model), (steps32, _) = runs
    losses, norms = zip(*steps)
    difference = max(abs(a - b) for (a, _), (b, _) in zip(steps, steps32))
    print(f"{name}: loss {losses[0]:.4f} to {losses[-1]:.4f}, norms {min(norms):.3f} to {max(norms):.3f}, "
          f"float32 differs by {difference:.1e}")
    assert difference < 2e-5
    assert min(norms) < TRAINING["grad_clip"] < max(norms), "clipping has to be active in some steps only"
    save(FOLDER / f"{name}.safetensors", model.tensors())
    write_json(
        FOLDER / f"{name}.json",
        {"configuration": asdict(config), "options": TRAINING, "losses": losses, "gradient_norms": norms},
    )


def main():
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(1337)
    parameters = random_parameters(BASE, generator)
    save(FOLDER / "parameters.safetensors", parameters)
    data = make_dataset(generator)
    for activation in ("gelu", "gelu_tanh", "relu"):
        for bias in (False, True):
            config = replace(BASE, activation=activation, bias=bias)
            golden(activation + "_bias" * bias, config, parameters, generator, batch=3, length=11)
    odd = random_parameters(ODD, generator)
    save(FOLDER / "odd_parameters.safetensors", odd)
    golden("odd_gelu_bias", ODD, odd, generator, batch=2, length=13)
    training_golden("training_gelu_tanh_bias", replace(BASE, activation="gelu_tanh"), parameters, data)
    training_golden("training_gelu", replace(BASE, bias=False), parameters, data)


if __name__ == "__main__":
    main()
