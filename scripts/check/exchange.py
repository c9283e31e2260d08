"""Exchanges small models with other tools, both ways, and prints a table; started by exchange.sh."""

import argparse
import collections
import contextlib
import dataclasses
import datetime
import enum
import functools
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile

import gguf
import numpy
import safetensors.torch
import tokenizers
import torch
import transformers
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

HAS_LLAMA = importlib.util.find_spec("llama_cpp") is not None
if HAS_LLAMA:
    import llama_cpp

    @llama_cpp.llama_log_callback
    def be_quiet(level, text, data):
        """It warns of contexts longer than those of training, and all are here."""

LINEAR = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
LLMC_PARTS = ["ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj"]
SHAPE = dict(n_positions=64, n_embd=48, n_layer=3, n_head=4)
NEW_TOKENS = 50
TEXT = "The quick brown fox, it's said, jumps over 12 lazy dogs;  they'll sleep on.\n\nWhy? Über alles: naïve 漢字!\n" * 60


class Exchange:
    def __init__(self, program, folder):
        self.program, self.folder, self.rows = program, folder, []

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def check(self, what, compare):
        """Runs a comparison, which returns whether all is well, and what was seen."""
        try:
            good, seen = compare()
        except Exception as error:  # A row of the table, whatever it is.
            good, seen = False, f"{type(error).__name__}: {error}".replace("\n", " ")
        self.rows.append((good, what, seen))
        print(f"{'ok  ' if good else 'FAIL'}  {what:<72} {seen}", flush=True)

    def skip(self, what, reason):
        self.rows.append((True, what, reason))
        print(f"skip  {what:<72} {reason}", flush=True)

    # What the program says

    def run(self, *arguments, expect=0):
        result = subprocess.run([self.program, *arguments], cwd=self.folder, capture_output=True, text=True)
        if result.returncode != expect:
            raise RuntimeError(f"exit code {result.returncode} of {' '.join(arguments)}: {result.stderr.strip()}")
        return result.stdout if expect == 0 else result.stderr

    def loss(self, model, dataset, *more):
        arguments = ["eval", f"--init_from={model}", f"--dataset={dataset}", "--json", *more]
        return json.loads(self.run(*arguments))["loss"]

    def greedy(self, model):
        """A prompt, and the tokens that follow it most likely."""
        output = self.run("bench-generate", f"--init_from={model}", "--prompt_tokens=8", "--repeats=1", "--json",
                          f"--max_new_tokens={NEW_TOKENS}")
        result = json.loads(output)
        return result["prompt_ids"], result["ids"]

    def ids(self, tokenizer):
        return json.loads(self.run("tokenizer", "encode", f"--tokenizer={tokenizer}", "--input=text.txt", "--json"))["ids"]

    # Data

    def make_ids(self, name, vocabulary, blocks=20):
        """A data set of random ids that fills its blocks, in nanoGPT's form."""
        folder = self.path("data", name)
        os.makedirs(folder)
        ids = numpy.random.default_rng(1).integers(0, vocabulary, blocks * SHAPE["n_positions"] + 1).astype("<u2")
        for split in ["train", "val"]:
            ids.tofile(os.path.join(folder, f"{split}.bin"))

    def validation_blocks(self, name):
        """Inputs and targets that have every target once: whole blocks, and a shorter one for the rest."""
        ids = torch.from_numpy(numpy.fromfile(self.path("data", name, "val.bin"), "<u2").astype("int64"))
        length = SHAPE["n_positions"]
        count = (len(ids) - 1) // length
        whole = count * length
        blocks = [(ids[:whole].view(count, length), ids[1: whole + 1].view(count, length))]
        return blocks + ([(ids[None, whole:-1], ids[None, whole + 1:])] if whole + 1 < len(ids) else [])


def make_model(vocabulary, activation="gelu_new", seed=1, bias=True):
    torch.manual_seed(seed)
    config = GPT2Config(vocab_size=vocabulary, activation_function=activation, bos_token_id=None, eos_token_id=None, **SHAPE)
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Larger than the initialization, so that every part shows.
            parameter.add_(torch.randn_like(parameter) * 0.1)
            if name.endswith(".bias") and not bias:
                parameter.zero_()
        # Else every token would be most like itself, and the text one word.
        model.transformer.wpe.weight.mul_(10)
    return model


def load(folder):
    return GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32).eval()


def reference_loss(model, blocks):
    total = 0.0
    with torch.inference_mode():
        for tokens, targets in blocks:
            logits = model(tokens).logits.flatten(0, 1).double()
            total += torch.nn.functional.cross_entropy(logits, targets.flatten(), reduction="sum").item()
    return total / sum(targets.numel() for _, targets in blocks)


def reference_greedy(model, prompt):
    with torch.inference_mode():
        ids = torch.tensor([prompt])
        return model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=NEW_TOKENS,
                              eos_token_id=None, pad_token_id=0)[0, len(prompt):].tolist()


def near(found, expected, tolerance):
    difference = abs(found - expected)
    return difference <= tolerance, f"{found:.6f}, expected {expected:.6f}"


def same_tokens(found, expected):
    count = next((i for i, (a, b) in enumerate(zip(found, expected)) if a != b), min(len(found), len(expected)))
    good = found == expected and len(found) > 0
    return good, f"{count} of {len(expected)} the same, {len(set(expected))} different ones"


def output_first(name, tensor):
    return tensor.t().contiguous() if name.endswith(LINEAR) else tensor.contiguous()


def same_weights(found, model, expected=lambda tensor: tensor, vocabulary=None):
    """Compares weights by Hugging Face's names with those of a model."""
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight":
            continue
        if name == "transformer.wte.weight":
            tensor = tensor[:vocabulary]
        if name not in found:
            return False, f"{name} is missing"
        if not torch.equal(found[name], expected(tensor)):
            return False, f"{name} differs"
    return True, f"{len(found)} tensors equal"


# llm.c's files, from the description in its train_gpt2.py

def write_llmc(model, path, version):
    config, weights = model.config, model.state_dict()
    padded = (config.vocab_size + 127) // 128 * 128
    words = [20240326, version, config.n_positions, config.vocab_size, config.n_layer, config.n_head, config.n_embd, padded]
    with open(path, "wb") as file:
        file.write(struct.pack("<256i", *words, *[0] * 248))

        def write(tensor):
            if version == 5:
                tensor = tensor.to(torch.bfloat16).view(torch.int16)
            file.write(tensor.contiguous().numpy().tobytes())
        write(torch.nn.functional.pad(weights["transformer.wte.weight"], (0, 0, 0, padded - config.vocab_size)))
        write(weights["transformer.wpe.weight"])
        for name in llmc_names(config.n_layer):
            write(output_first(name, weights[name]))


def llmc_names(layers):
    names = [f"transformer.h.{layer}.{part}.{kind}" for part in LLMC_PARTS for kind in ["weight", "bias"]
             for layer in range(layers)]
    return names + ["transformer.ln_f.weight", "transformer.ln_f.bias"]


def read_llmc(path):
    with open(path, "rb") as file:
        words = struct.unpack("<256i", file.read(1024))
        content = file.read()
    magic, version, block, vocabulary, layers, _, width, padded = words[:8]
    assert magic == 20240326 and padded % 128 == 0
    values = numpy.frombuffer(content, "<f4" if version == 3 else "<u2")
    if version == 5:
        values = (values.astype("<u4") << 16).view("<f4")
    rest, found = torch.from_numpy(values.copy()), {}

    def take(*shape):
        nonlocal rest
        count = int(numpy.prod(shape))
        assert len(rest) >= count, "the file is too short"
        part, rest = rest[:count].view(*shape), rest[count:]
        return part
    embedding = take(padded, width)
    assert not embedding[vocabulary:].any(), "the padding is not zero"
    found["transformer.wte.weight"] = embedding[:vocabulary]
    found["transformer.wpe.weight"] = take(block, width)
    shapes = {"ln_1.weight": [width], "ln_2.weight": [width], "attn.c_attn.weight": [3 * width, width],
              "attn.c_proj.weight": [width, width], "mlp.c_fc.weight": [4 * width, width],
              "mlp.c_proj.weight": [width, 4 * width]}
    for name in llmc_names(layers):
        kind = ".".join(name.split(".")[3:])
        shape = shapes.get(kind, [width]) if name.endswith(".weight") else [shapes.get(kind[:-4] + "weight", [width])[0]]
        found[name] = output_first(name, take(*shape))
    assert len(rest) == 0, "the file is too long"
    return found


def read_llmc_tokenizer(path):
    with open(path, "rb") as file:
        words, content = struct.unpack("<256i", file.read(1024)), file.read()
    assert words[:2] == (20240328, 2)
    tokens = []
    while content:
        tokens.append(content[1: 1 + content[0]])
        content = content[1 + content[0]:]
    assert len(tokens) == words[2], f"{len(tokens)} tokens, {words[2]} in the header"
    return tokens, words[3]


# nanoGPT's ckpt.pt

def write_nanogpt(model, path, bias, compiled, dtype=torch.float32):
    prefix = "_orig_mod." if compiled else ""
    state = collections.OrderedDict()
    for name, tensor in model.state_dict().items():
        if bias or not name.endswith(".bias"):
            state[prefix + name] = output_first(name, tensor).to(dtype)
    # One storage, as where the two are tied.
    state[prefix + "lm_head.weight"] = state[prefix + "transformer.wte.weight"]
    config = model.config
    arguments = dict(n_layer=config.n_layer, n_head=config.n_head, n_embd=config.n_embd, block_size=config.n_positions,
                     bias=bias, vocab_size=config.vocab_size, dropout=0.1)
    parameters = [torch.nn.Parameter(tensor.float().clone()) for tensor in state.values()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, betas=(0.9, 0.95))
    sum(parameter.sum() for parameter in parameters).backward()
    optimizer.step()
    torch.save(dict(model=state, optimizer=optimizer.state_dict(), model_args=arguments, iter_num=10,
                    best_val_loss=torch.tensor(1.5), config=dict(out_dir="out", device="cpu", compile=compiled)), path)


# transformers' folders, in any form that it loads

def random_config(choose):
    def pick(*values):
        return values[choose.integers(len(values))]
    return GPT2Config(
        vocab_size=300, n_positions=SHAPE["n_positions"], n_embd=48, n_layer=pick(1, 3, 5), n_head=pick(1, 2, 3, 4, 6),
        n_inner=pick(None, 192, 20, 100),
        activation_function=pick("gelu_new", "gelu", "gelu_fast", "gelu_accurate", "gelu_python", "gelu_pytorch_tanh",
                                 "gelu_python_tanh", "relu", "relu2", "silu", "swish"),
        layer_norm_epsilon=pick(1e-5, 1e-6, 1e-3, 0.1), scale_attn_weights=pick(True, False),
        scale_attn_by_inverse_layer_idx=pick(True, False), reorder_and_upcast_attn=pick(True, False),
        tie_word_embeddings=pick(True, True, False), bos_token_id=None, eos_token_id=None)


def random_state(choose, config):
    """Weights of such a model: with a head that is left out, the token embedding again, another one, or alone."""
    model = GPT2LMHeadModel(config)
    dtype = [torch.float32, torch.float16, torch.bfloat16, torch.float64][choose.integers(4)]
    state = {}
    for name, tensor in model.state_dict().items():
        state[name] = (tensor + 0.1 * torch.randn_like(tensor)).to(dtype)
    if config.tie_word_embeddings:
        head = choose.integers(4)
        if head == 0:
            del state["lm_head.weight"]
        elif head == 1:
            state["lm_head.weight"] = state["transformer.wte.weight"].clone()
        elif head == 2:
            del state["transformer.wte.weight"]
    if choose.integers(4) == 0:
        state = {name: tensor for name, tensor in state.items() if not name.endswith(".bias")}
    if choose.integers(2):
        state["transformer.h.0.attn.bias"] = torch.ones(1, 1, 64, 64).tril().bool()
    if choose.integers(2):
        state = {name.removeprefix("transformer."): tensor for name, tensor in state.items()}
    return state


def random_description(choose, config):
    members = config.to_dict()
    if choose.integers(2):
        members["bias"] = False
    if choose.integers(4) == 0:
        del members["model_type"]
    if choose.integers(4) == 0:
        for name, alias in [("n_embd", "hidden_size"), ("n_layer", "num_hidden_layers"), ("n_head", "num_attention_heads")]:
            members[alias] = members.pop(name)
    if config.tie_word_embeddings and choose.integers(2):
        del members["tie_word_embeddings"]
    return members


def write_random_folder(folder, seed):
    """A folder that transformers loads, in one or two files of either kind, and of either form of torch.save."""
    choose = numpy.random.default_rng(seed)
    torch.manual_seed(seed)
    config = random_config(choose)
    state, members = random_state(choose, config), random_description(choose, config)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(members, file)
    names, is_older, new_form = list(state), choose.integers(2), bool(choose.integers(2))
    stem, ending = ("pytorch_model", "bin") if is_older else ("model", "safetensors")

    def write(name, tensors):
        path = os.path.join(folder, name)
        if is_older:
            torch.save(tensors, path, _use_new_zipfile_serialization=new_form)
        else:
            safetensors.torch.save_file(tensors, path, {"format": "pt"})
    if choose.integers(2):
        return write(f"{stem}.{ending}", state)
    places = {}
    for part, chosen in enumerate([names[::2], names[1::2]]):
        places |= dict.fromkeys(chosen, f"{stem}-0000{part + 1}-of-00002.{ending}")
        write(places[chosen[0]], {name: state[name] for name in chosen})
    with open(os.path.join(folder, f"{stem}.{ending}.index.json"), "w") as file:
        json.dump(dict(metadata={}, weight_map=places), file)


class Command:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch '{self.path}'",)


# Files of PyTorch as people's scripts write them

@dataclasses.dataclass
class Config:
    n_head: int = 1
    device: torch.device = dataclasses.field(default_factory=lambda: torch.device("cuda:1"))


class Color(enum.Enum):
    RED = 1


def random_values(choose, levels=3):
    """What may lie beside the weights."""
    shared = {"k": [1, 2.5]}
    itself = [shared]
    itself.append(itself)
    plain = [None, True, -3, 2**70, 1e300, "é漢😀", b"\xff", (1, 2), {1, 2}, frozenset("a"), 1 + 2j, bytearray(b"x"), shared, itself]
    objects = [Config(), Color.RED, pathlib.Path("out"), datetime.datetime(2024, 1, 2), functools.partial(print, end=""),
               argparse.Namespace(a=1), collections.OrderedDict(a=1), collections.defaultdict(list, a=[1]), random.getstate(), len]
    arrays = [numpy.float32(2), numpy.int64(3), numpy.str_("n"), numpy.arange(6).reshape(2, 3), numpy.dtype("f4"), numpy.random.get_state(),
              numpy.random.default_rng(1)]
    tensors = [torch.bfloat16, torch.device("cpu"), torch.Size([2]), torch.get_rng_state(), torch.ones(2).to_sparse(), torch.tensor(3),
               torch.ones(2, dtype=torch.complex64).conj(), torch.nn.Linear(2, 2), torch.nn.Parameter(torch.ones(3)), torch.ones(2) > 0]
    values = {str(i): choose.choice(choose.choice([plain, objects, arrays, tensors])) for i in range(choose.randrange(8))}
    if levels and choose.random() < 0.5:
        values["more"] = [random_values(choose, levels - 1) for _ in range(2)]
    return values


def random_layout(choose, tensor):
    """The same numbers, somewhere else in a storage."""
    kind = choose.randrange(4)
    if kind == 1 and tensor.dim() == 2:
        return tensor.t().contiguous().t()
    if kind == 2:
        whole = torch.randn([3 * size + 2 for size in tensor.shape]).to(tensor.dtype)
        part = whole[tuple(slice(1, 1 + 3 * size, 3) for size in tensor.shape)]
        return part.copy_(tensor)
    if kind == 3:
        flat = torch.cat([torch.zeros(7, dtype=tensor.dtype), tensor.flatten()])
        return flat[7:].view(tensor.shape)
    return tensor.clone()


def write_random(path, seed):
    """A checkpoint in a random form, and the model with its numbers. Returns options that it needs, too."""
    choose = random.Random(seed)
    torch.manual_seed(seed)
    bias, activation = choose.random() < 0.5, "gelu"
    form = choose.choice(["model_args", "model_args", "namespace", "numpy", "config", "state_dict"])
    if form == "config":  # As build-nanogpt, which has biases and the tanh GELU.
        bias, activation = True, "gelu_new"
    model = make_model(304, activation, seed=seed, bias=bias)
    dtypes = choose.sample([torch.float32, torch.float64, torch.float16, torch.bfloat16], choose.randrange(1, 3))
    state, numbers = collections.OrderedDict(), {}
    for name, tensor in model.state_dict().items():
        if name.endswith(".bias") and not bias:
            continue
        tensor = random_layout(choose, output_first(name, tensor).to(choose.choice(dtypes)))
        state[name], numbers[name] = tensor, output_first(name, tensor.float())
    head = choose.choice(["same", "copy", "none", "only", "own"])
    tokens, other = state["transformer.wte.weight"], "lm_head.weight"
    state[other] = tokens.clone() if head == "copy" else torch.randn_like(tokens) if head == "own" else tokens
    numbers[other] = state[other].float()
    if head in ["none", "only"]:
        del state[other if head == "none" else "transformer.wte.weight"]
    if head == "own":
        model.lm_head.weight = torch.nn.Parameter(torch.empty_like(numbers[other]))
    model.load_state_dict({**model.state_dict(), **numbers})
    prefix = "".join(choose.choices(["module.", "_orig_mod."], k=choose.randrange(3)))
    inner = choose.choice(["h.0.", "h.0._orig_mod."])
    state = {prefix + name.replace("h.0.", inner): torch.nn.Parameter(tensor) if choose.random() < 0.3 else tensor
             for name, tensor in state.items()}
    config = model.config
    sizes = dict(n_layer=config.n_layer, n_head=config.n_head, n_embd=config.n_embd, block_size=config.n_positions,
                 vocab_size=config.vocab_size)
    arguments = dict(sizes, bias=bias, dropout=0.0)
    if form == "state_dict":
        content = state
    elif form == "config":
        content = dict(model=state, config=argparse.Namespace(**sizes))
    else:
        made = {"namespace": lambda: argparse.Namespace(**arguments), "model_args": lambda: arguments,
                "numpy": lambda: {key: numpy.array(value)[()] for key, value in arguments.items()}}[form]()
        content = {**random_values(choose), "model": state, "model_args": made}
        content = dict(choose.sample(list(content.items()), len(content)))
    torch.save(content, path, pickle_protocol=choose.choice([1, 2, 3, 4, 5]),
               _use_new_zipfile_serialization=choose.random() < 0.6)
    return model, [f"--n_head={config.n_head}"] if form == "state_dict" else []


# The matrix

def check_reading(exchange, model, label, source, dataset="random"):
    """The program reads a model of transformers from some files: the same loss, and the same tokens."""
    blocks = exchange.validation_blocks(dataset)
    exchange.check(f"{label}: loss", lambda: near(exchange.loss(source, dataset), reference_loss(model, blocks), 1e-5))

    def greedy():
        prompt, found = exchange.greedy(source)
        return same_tokens(found, reference_greedy(model, prompt))
    exchange.check(f"{label}: greedy tokens", greedy)


def check_transformers(exchange):
    exchange.make_ids("random", 300)
    for activation in ["gelu_new", "gelu", "relu"]:
        model = make_model(300, activation)
        name = f"hf-{activation}"
        model.save_pretrained(exchange.path(name))
        check_reading(exchange, model, f"transformers, {activation}, to ddp-train", name)
        exchange.run("export", f"--init_from={name}", "--out", f"{name}-back")

        def logits():
            with torch.inference_mode():
                ids = exchange.validation_blocks("random")[0][0][:2]
                difference = (load(exchange.path(f"{name}-back"))(ids).logits - model(ids).logits).abs().max().item()
            return difference <= 1e-4, f"logits differ by {difference:.1e}"
        exchange.check(f"ddp-train to transformers, {activation}", logits)

    model = load(exchange.path("hf-gelu_new"))
    model.save_pretrained(exchange.path("sharded"), max_shard_size="100KB")
    files = [name for name in os.listdir(exchange.path("sharded")) if name.endswith(".safetensors")]
    check_reading(exchange, model, f"transformers, {len(files)} files with an index", "sharded")
    os.makedirs(exchange.path("bare"))
    # As OpenAI's own upload: no prefix, and the masks.
    bare = {name.removeprefix("transformer."): tensor.contiguous() for name, tensor in model.state_dict().items()
            if name != "lm_head.weight"}
    bare["h.0.attn.bias"] = torch.ones(1, 1, 64, 64)
    safetensors.torch.save_file(bare, exchange.path("bare", "weights.safetensors"))
    model.config.save_pretrained(exchange.path("bare"))
    check_reading(exchange, model, "a .safetensors file without prefixes", "bare/weights.safetensors")
    for dtype in [torch.float16, torch.bfloat16]:
        name = f"hf-{str(dtype).removeprefix('torch.')}"
        load(exchange.path("hf-gelu_new")).to(dtype).save_pretrained(exchange.path(name))
        check_reading(exchange, load(exchange.path(name)), f"transformers, {name.removeprefix('hf-')}", name)
    check_random_folders(exchange, 40)


def check_random_folders(exchange, count):
    """Whatever transformers loads as a GPT-2 has the loss that it has there, before and after an export."""
    blocks, folder = exchange.validation_blocks("random"), exchange.path("random-hf")

    def losses():
        worst = 0
        for seed in range(count):
            write_random_folder(folder, seed)
            expected = reference_loss(load(folder), blocks)
            found = [exchange.loss("random-hf", "random")]
            exchange.run("export", "--init_from=random-hf", "--out=random-hf-back", "--overwrite")
            found.append(reference_loss(load(exchange.path("random-hf-back")), blocks))
            worst = max([worst] + [abs(loss - expected) for loss in found])
            if not worst <= 1e-5:
                return False, f"seed {seed}: {found[0]:.6f}, after an export {found[1]:.6f}, expected {expected:.6f}"
        return True, f"losses differ by at most {worst:.1e}"
    exchange.check(f"{count} random folders of transformers, and exports of them", losses)


def check_llmc(exchange):
    model = load(exchange.path("hf-gelu_new"))
    for version, dtype in [(3, "float32"), (5, "bfloat16")]:
        def rounded(tensor, dtype=dtype):
            return tensor.to(torch.bfloat16).float() if dtype == "bfloat16" else tensor
        write_llmc(model, exchange.path(f"python-{dtype}.bin"), version)
        expected = load(exchange.path("hf-gelu_new"))
        expected.load_state_dict({name: rounded(tensor) for name, tensor in model.state_dict().items()})
        check_reading(exchange, expected, f"llm.c's file by Python, {dtype}", f"python-{dtype}.bin")
        exchange.run("export", "--init_from=hf-gelu_new", "--format=llmc", f"--dtype={dtype}", "--out", f"llmc-{dtype}")
        found = exchange.path(f"llmc-{dtype}", "model.bin")
        exchange.check(f"ddp-train to llm.c's file, {dtype}", lambda: same_weights(read_llmc(found), model, rounded))
        exchange.check(f"ddp-train and Python write the same file, {dtype}", lambda: (
            open(found, "rb").read() == open(exchange.path(f"python-{dtype}.bin"), "rb").read(), "byte for byte"))
    exchange.check("the exact GELU to llm.c and GGUF is refused", lambda: (all(
        "tanh GELU" in exchange.run("export", "--init_from=hf-gelu", f"--format={form}", "--out=refused", expect=64)
        for form in ["llmc", "gguf"]), "by name"))


def check_nanogpt(exchange):
    for bias, compiled, dtype in [(True, False, torch.float32), (False, True, torch.float32), (False, False, torch.bfloat16)]:
        model = make_model(304, "gelu", seed=2, bias=bias)
        name = f"ckpt-{bias}-{compiled}-{str(dtype)[6:]}.pt"
        write_nanogpt(model, exchange.path(name), bias, compiled, dtype)
        model.load_state_dict({key: tensor.to(dtype).float() for key, tensor in model.state_dict().items()})
        label = f"ckpt.pt, {'with' if bias else 'no'} biases, {'compiled, ' if compiled else ''}{str(dtype)[6:]}"
        check_reading(exchange, model, label, name)
    check_random_checkpoints(exchange, 40)
    marker = exchange.path("ran")
    torch.save(dict(model=Command(marker), model_args={}), exchange.path("command.pt"))

    def refused():
        said = exchange.run("eval", "--init_from=command.pt", "--dataset=random", expect=65)
        return "posix.system" in said and not os.path.exists(marker), "refused by name, nothing ran"
    exchange.check("ckpt.pt with os.system in it", refused)


def check_random_checkpoints(exchange, count):
    """Whatever torch.save wrote, in the form of any version, has the loss that PyTorch has for it."""
    blocks = exchange.validation_blocks("random")

    def losses():
        worst = 0
        for seed in range(count):
            model, options = write_random(exchange.path("random.pt"), seed)
            found, expected = exchange.loss("random.pt", "random", *options), reference_loss(model, blocks)
            if not abs(found - expected) <= 1e-5:
                return False, f"seed {seed}: {found:.6f}, expected {expected:.6f}"
            worst = max(worst, abs(found - expected))
        return True, f"losses differ by at most {worst:.1e}"
    exchange.check(f"{count} random forms of ckpt.pt", losses)


def read_gguf(path):
    reader = gguf.GGUFReader(path)
    names = {"token_embd": "wte", "position_embd": "wpe", "output_norm": "ln_f"}
    parts = {"attn_norm": "ln_1", "attn_qkv": "attn.c_attn", "attn_output": "attn.c_proj", "ffn_norm": "ln_2",
             "ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj"}
    found = {}
    for tensor in reader.tensors:
        words = tensor.name.split(".")
        name = f"h.{words[1]}.{parts[words[2]]}" if words[0] == "blk" else names[words[0]]
        name = f"transformer.{name}.{words[-1]}"
        found[name] = output_first(name, torch.from_numpy(numpy.array(tensor.data)))
    return reader, found


def quiet_llama(path):
    llama_cpp.llama_log_set(be_quiet, None)
    return llama_cpp.Llama(path, n_ctx=SHAPE["n_positions"], n_threads=2, n_batch=SHAPE["n_positions"], verbose=False)


def llama_greedy(path, prompt):
    llama = quiet_llama(path)
    found = []
    for token in llama.generate(prompt, temp=0.0, top_k=1, repeat_penalty=1.0):
        found.append(token)
        if len(found) == NEW_TOKENS:
            return found


def check_run(exchange, kind, options):
    """A run of a tokenizer's kind, exported to every tool: weights, greedy tokens, and the ids of text."""
    exchange.run("prepare", "--input=text.txt", f"--name={kind}", *options)
    exchange.run(f"--dataset={kind}", f"--out_dir=run-{kind}", "--n_layer=2", "--n_head=2", "--n_embd=32", "--block_size=64",
                 "--batch_size=4", "--gradient_accumulation_steps=1", "--max_iters=60", "--eval_interval=60", "--eval_iters=1",
                 "--activation=gelu_tanh", "--learning_rate=1e-2", "--warmup_iters=0", "--dropout=0", "--threads=2")
    for form, out in [("hf", f"{kind}-hf"), ("llmc", f"{kind}-llmc"), ("gguf", f"{kind}.gguf")]:
        exchange.run("export", f"--out_dir=run-{kind}", f"--format={form}", f"--out={out}")
    model = load(exchange.path(f"{kind}-hf"))
    expected = exchange.ids(f"data/{kind}")
    text = open(exchange.path("text.txt"), encoding="utf-8", newline="").read()

    def loss():
        return near(exchange.loss(f"{kind}-hf", kind), json.loads(exchange.run(
            "eval", f"--out_dir=run-{kind}", "--json"))["loss"], 1e-9)
    exchange.check(f"{kind}: the run and its export have the same loss", loss)
    exchange.check(f"{kind}: transformers' AutoTokenizer", lambda: same_tokens(
        AutoTokenizer.from_pretrained(exchange.path(f"{kind}-hf")).encode(text), expected))
    exchange.check(f"{kind}: tokenizers reads tokenizer.json and gives the text back", lambda: (
        tokenizers.Tokenizer.from_file(exchange.path(f"{kind}-hf", "tokenizer.json")).decode(expected) == text, "equal"))
    exchange.check(f"{kind}: llm.c's model.bin", lambda: same_weights(
        read_llmc(exchange.path(f"{kind}-llmc", "model.bin")), model))

    def llmc_tokens():
        tokens, _ = read_llmc_tokenizer(exchange.path(f"{kind}-llmc", "tokenizer.bin"))
        return b"".join(tokens[i] for i in expected) == text.encode(), f"{len(tokens)} tokens spell the text"
    exchange.check(f"{kind}: llm.c's tokenizer.bin", llmc_tokens)
    path = exchange.path(f"{kind}.gguf")
    exchange.check(f"{kind}: gguf reads the file", lambda: same_weights(read_gguf(path)[1], model))
    prompt = expected[:8]
    if not HAS_LLAMA:
        return exchange.skip(f"{kind}: llama.cpp", "llama-cpp-python is not here")
    exchange.check(f"{kind}: llama.cpp's greedy tokens", lambda: same_tokens(
        llama_greedy(path, prompt), reference_greedy(model, prompt)))
    exchange.check(f"{kind}: llama.cpp's ids of the text", lambda: same_tokens(
        quiet_llama(path).tokenize(text.encode(), add_bos=False, special=False), expected))


def check_gpt2_vocabulary(exchange):
    """GPT-2's own tokenizer with a vocabulary that nanoGPT padded to 50304: cropped wherever it goes."""
    try:
        expected = exchange.ids("gpt2")
    except RuntimeError as error:
        return exchange.skip("GPT-2's vocabulary, padded", f"cannot be had: {str(error)[-60:]}")
    model = make_model(50304, seed=4)
    model.save_pretrained(exchange.path("padded"))
    for form, out in [("hf", "padded-hf"), ("llmc", "padded-llmc"), ("gguf", "padded.gguf")]:
        exchange.run("export", "--init_from=padded", "--tokenizer=gpt2", f"--format={form}", f"--out={out}")
    found = load(exchange.path("padded-hf"))
    exchange.check("padded vocabulary to transformers", lambda: same_weights(found.state_dict(), model, vocabulary=50257))
    exchange.check("padded vocabulary to llm.c", lambda: same_weights(
        read_llmc(exchange.path("padded-llmc", "model.bin")), model, vocabulary=50257))
    exchange.check("padded vocabulary to GGUF", lambda: same_weights(
        read_gguf(exchange.path("padded.gguf"))[1], model, vocabulary=50257))
    exchange.check("GPT-2's tokenizer in transformers", lambda: same_tokens(
        AutoTokenizer.from_pretrained(exchange.path("padded-hf")).encode(TEXT), expected))
    if HAS_LLAMA:
        exchange.check("GPT-2's tokenizer in llama.cpp", lambda: same_tokens(
            quiet_llama(exchange.path("padded.gguf")).tokenize(TEXT.encode(), add_bos=False, special=False), expected))
    output = exchange.run("sample", "--init_from=padded", "--tokenizer=gpt2", "--num_samples=1", "--max_new_tokens=20")
    exchange.check("a padded vocabulary is sampled", lambda: (len(output) > 20, f"{len(output)} characters"))
    said = exchange.run("sample", "--init_from=padded", expect=65)
    exchange.check("without a tokenizer, sample says what to do", lambda: ("--tokenizer=gpt2" in said, "--tokenizer=gpt2"))


def check_fine_tuning(exchange):
    """A random GPT-2 of transformers, trained on one's own byte pairs in one command, and back to transformers."""
    model = make_model(320, seed=3)
    model.save_pretrained(exchange.path("base"))
    output = exchange.run("--init_from=base", "--dataset=bpe", "--out_dir=tuned", "--batch_size=4", "--eval_interval=100",
                          "--gradient_accumulation_steps=1", "--max_iters=100", "--eval_iters=2", "--learning_rate=1e-2",
                          "--warmup_iters=0", "--threads=2")
    losses = [float(line.split()[-1]) for line in output.splitlines() if line.startswith("step ")]
    exchange.run("export", "--out_dir=tuned", "--out=tuned-hf")
    tuned, blocks = load(exchange.path("tuned-hf")), exchange.validation_blocks("bpe")
    exchange.check("fine-tuning lowers the loss", lambda: (losses[-1] < losses[0] - 1, f"{losses[0]} to {losses[-1]}"))
    exchange.check("transformers has the loss of the fine-tuned model", lambda: near(
        exchange.loss("tuned-hf", "bpe"), reference_loss(tuned, blocks), 1e-5))
    options = ["--temperature=0", "--num_samples=1", f"--max_new_tokens={NEW_TOKENS}", "--start=The quick"]
    tokenizer = AutoTokenizer.from_pretrained(exchange.path("tuned-hf"))

    def text():
        ours = exchange.run("sample", "--out_dir=tuned", *options)
        ids = tokenizer.encode("The quick")
        theirs = tokenizer.decode(ids + reference_greedy(tuned, ids))
        return ours == theirs + "\n", f"{ours[:40]!r}"
    exchange.check("transformers writes the text that sample writes", text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--keep", help="a folder for all files, which stay there")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    versions = {"PyTorch": torch.__version__, "transformers": transformers.__version__, "tokenizers": tokenizers.__version__,
                "gguf": importlib.metadata.version("gguf")}
    if HAS_LLAMA:
        versions["llama-cpp-python"] = importlib.metadata.version("llama-cpp-python")
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    with contextlib.ExitStack() as stack:
        folder = options.keep or stack.enter_context(tempfile.TemporaryDirectory())
        os.makedirs(folder, exist_ok=True)
        exchange = Exchange(os.path.abspath(options.program), folder)
        with open(exchange.path("text.txt"), "w", encoding="utf-8") as file:
            file.write(TEXT)
        check_transformers(exchange)
        check_llmc(exchange)
        check_nanogpt(exchange)
        exchange.run("tokenizer", "train", "--vocab_size=320", "--input=text.txt", "--output=pairs")
        for kind, tokenizer in [("char", "char"), ("byte", "byte"), ("bpe", "pairs")]:
            check_run(exchange, kind, [f"--tokenizer={tokenizer}"])
        check_gpt2_vocabulary(exchange)
        check_fine_tuning(exchange)
    failed = sum(not good for good, _, _ in exchange.rows)
    print(f"{len(exchange.rows) - failed} of {len(exchange.rows)} as expected")
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
