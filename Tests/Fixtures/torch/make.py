"""Writes this folder's fixtures: the model of ../cases/models/ckpt-good in the forms that people's scripts save.

    pip install torch numpy && python3 Tests/Fixtures/torch/make.py

Written with Python 3.11, torch 2.13 and numpy 2.4. Prints the validation loss of each on ../cases/models/data/good, by PyTorch.
"""
import argparse
import collections
import importlib.util
import pathlib
import pickle
import random
import struct
import sys

import numpy
import torch
from torch.nn import functional

folder = pathlib.Path(__file__).parent
cases = folder.parent / "cases/models"
people = importlib.util.module_from_spec(importlib.util.spec_from_file_location("people", folder.parent / "pickles/make.py"))
sys.modules["people"] = people
people.__spec__.loader.exec_module(people)


def loss(weights, activation="none"):
    """Of a GPT with one layer and one head, on all blocks of the validation tokens."""
    ids = torch.from_numpy(numpy.fromfile(cases / "data/good/val.bin", "<u2").astype("int64"))
    length, width = weights["transformer.wpe.weight"].shape
    count = (len(ids) - 1) // length
    x, y = ids[:count * length].view(count, length), ids[1:count * length + 1].view(count, length)
    weights = {name: tensor.float() for name, tensor in weights.items()}

    def get(name):
        return weights.get(name)

    def norm(x, name):
        return functional.layer_norm(x, (width,), get(name + ".weight"), get(name + ".bias"), 1e-5)

    def linear(x, name):
        return functional.linear(x, get(name + ".weight"), get(name + ".bias"))
    h = functional.embedding(x, get("transformer.wte.weight")) + get("transformer.wpe.weight")
    q, k, v = linear(norm(h, "transformer.h.0.ln_1"), "transformer.h.0.attn.c_attn").split(width, -1)
    h = h + linear(functional.scaled_dot_product_attention(q, k, v, is_causal=True), "transformer.h.0.attn.c_proj")
    hidden = functional.gelu(linear(norm(h, "transformer.h.0.ln_2"), "transformer.h.0.mlp.c_fc"), approximate=activation)
    h = norm(h + linear(hidden, "transformer.h.0.mlp.c_proj"), "transformer.ln_f")
    logits = h @ get("lm_head.weight").T
    return functional.cross_entropy(logits.flatten(0, 1).double(), y.flatten()).item()


good = torch.load(cases / "ckpt-good/ckpt.pt", weights_only=True)
model, arguments = good["model"], good["model_args"]


def save(name, content, **options):
    if name:
        torch.save(content, folder / f"{name}.pt", **options)


def strided():
    """Column-major, with gaps, from the middle of a storage that others share, and with one number for many."""
    state = collections.OrderedDict()
    flat = torch.cat([torch.zeros(5), model["transformer.h.0.ln_1.weight"], model["transformer.h.0.ln_2.weight"]])
    for name, tensor in model.items():
        if name.endswith(("c_attn.weight", "wte.weight")):
            state[name] = tensor.t().contiguous().t()
        elif name.endswith("c_fc.weight"):
            wide = torch.randn(tensor.shape[0] + 3, 3 * tensor.shape[1])
            wide[2:2 + tensor.shape[0], 1::3] = tensor
            state[name] = wide[2:2 + tensor.shape[0], 1::3]
        else:
            state[name] = tensor
    state["transformer.h.0.ln_1.weight"], state["transformer.h.0.ln_2.weight"] = flat[5:13], flat[13:]
    state["transformer.ln_f.weight"] = torch.tensor([1.25]).expand(8)
    state["lm_head.weight"] = state["transformer.wte.weight"]
    return state


class ViewPickler(pickle.Pickler):
    """Storages as views of one root, as PyTorch before 0.4 wrote them."""

    def __init__(self, file, root):
        super().__init__(file, 2)
        self.root, self.views = root, {}

    def persistent_id(self, value):
        if not isinstance(value, torch.storage.TypedStorage) and not torch.is_storage(value):
            return None
        start = (value.data_ptr() - self.root.data_ptr()) // 4
        size = value.size() if isinstance(value, torch.storage.TypedStorage) else value.nbytes() // 4
        key = self.views.setdefault((start, size), str(100 + len(self.views)))
        return "storage", torch.FloatStorage, "7", "cpu", self.root.numel(), (key, start, size)


class View:
    """Pickled as the tensor of its own part of a root storage."""

    def __init__(self, tensor, storage):
        self.tensor, self.storage = tensor, storage

    def __reduce__(self):
        return torch._utils._rebuild_tensor_v2, (self.storage, 0, tuple(self.tensor.shape), self.tensor.stride(), False,
                                                 collections.OrderedDict())


def legacy_views():
    root = torch.cat([tensor.flatten() for tensor in model.values()])
    state, start = collections.OrderedDict(), 0
    for name, tensor in model.items():
        view = root.untyped_storage()[4 * start:4 * (start + tensor.numel())]
        state[name] = View(tensor, torch.storage.TypedStorage(wrap_storage=view, dtype=torch.float32, _internal=True))
        start += tensor.numel()
    with open(folder / "legacy-views.pt", "wb") as file:
        for part in [torch.serialization.MAGIC_NUMBER, torch.serialization.PROTOCOL_VERSION, {"little_endian": True}]:
            pickle.dump(part, file, 2)
        ViewPickler(file, root).dump(dict(model=state, model_args=arguments))
        pickle.dump(["7"], file, 2)
        file.write(struct.pack("<q", root.numel()) + root.numpy().tobytes())
    return torch.load(folder / "legacy-views.pt", weights_only=True)["model"]


def everything():
    """What training scripts keep beside the weights."""
    parameters = [torch.nn.Parameter(tensor.clone()) for tensor in model.values()]
    optimizers = [torch.optim.AdamW(parameters), torch.optim.SGD(parameters, momentum=0.9), torch.optim.Adagrad(parameters)]
    sum(parameter.sum() for parameter in parameters).backward()
    for optimizer in optimizers:
        optimizer.step()
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizers[0], 10)
    tensors = [torch.ones(3).to(getattr(torch, name)) for name in
               ["int64", "int32", "int16", "int8", "uint8", "bool", "complex64", "complex128", "uint16", "uint32", "uint64"]]
    tensors += [torch.ones(2).to(torch.float8_e5m2), torch.ones(2, 2).to_sparse(), torch.ones(2, device="meta"),
                torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), torch.randn(2, dtype=torch.complex64).conj(),
                torch.tensor([1 + 2j]).conj().imag, torch.nn.Parameter(torch.ones(2)), torch.tensor(1.5), torch.empty(0, 3)]
    named = torch.ones(2)
    named.note = "an attribute"
    state = collections.OrderedDict((name, torch.nn.Parameter(tensor)) for name, tensor in model.items())
    state._metadata = collections.OrderedDict({"": {"version": 1}})
    return dict(people=people.objects(), optimizers=[o.state_dict() for o in optimizers], schedule=schedule.state_dict(), tensors=tensors,
                named=named, device=torch.device("cuda:0"), size=torch.Size([2, 3]), dtype=torch.bfloat16, layout=torch.strided,
                scaler=torch.amp.GradScaler("cpu").state_dict(), random=random.getstate(),
                rng=dict(torch=torch.get_rng_state(), numpy=numpy.random.get_state()), generator=numpy.random.default_rng(1),
                module=torch.nn.Linear(2, 2), model=state, model_args=arguments, again=arguments)


class GPT(torch.nn.Module):
    pass


def main():
    torch.manual_seed(1)
    state = strided()
    save("strided", dict(model=state, model_args=arguments))
    save("strided-legacy", dict(model=state, model_args=arguments), _use_new_zipfile_serialization=False)
    print("strided", loss(state))
    print("legacy-views", loss(legacy_views()))
    save("everything", everything())
    save("everything-legacy", {k: v for k, v in everything().items() if k != "tensors"}, _use_new_zipfile_serialization=False)
    small = dict(model=model, model_args=arguments)
    for protocol in [1, 4, 5]:
        save(f"zip-{protocol}", small, pickle_protocol=protocol)
    save("legacy-1", small, pickle_protocol=1, _use_new_zipfile_serialization=False)
    save("legacy-4", small, pickle_protocol=4, _use_new_zipfile_serialization=False)
    for dtype in [torch.float16, torch.bfloat16]:
        state = {name: tensor.to(dtype) for name, tensor in model.items()}
        save(str(dtype)[6:], dict(model=state, model_args=arguments))
        print(dtype, loss(state))
    names = ["module._orig_mod.{}", "_orig_mod.module.{}", "_forward_module._orig_mod.module.{}"]
    names = {name: names[i % 3].format(name).replace("h.0.", "h.0._orig_mod._checkpoint_wrapped_module.") for i, name in
             enumerate(model)}
    save("wrapped", dict(model={names[name]: tensor for name, tensor in model.items()}, model_args=arguments))
    save("twice", dict(model={**model, "module.transformer.wpe.weight": torch.zeros(8, 8)}, model_args=arguments))
    save("state-dict", model)
    save("state-dict-named", dict(epoch=3, model_state_dict=model))
    save("transformer", {name.removeprefix("transformer."): tensor for name, tensor in model.items() if name != "lm_head.weight"})
    save("only-head", dict(model={k: v for k, v in model.items() if k != "transformer.wte.weight"}, model_args=arguments))
    save("numpy-arguments", dict(model=model, model_args=argparse.Namespace(
        **{key: numpy.bool_(value) if key == "bias" else numpy.int64(value) for key, value in arguments.items()})))
    save("config", dict(model=model, config=argparse.Namespace(**arguments)))
    module = GPT()
    module.transformer = torch.nn.Linear(2, 2)
    save("module", module)
    save("module-inside", dict(model=module, model_args=arguments))
    bad = dict(model)
    bad["transformer.wpe.weight"] = model["transformer.wpe.weight"].to_sparse()
    save("sparse", dict(model=bad, model_args=arguments))
    bad["transformer.wpe.weight"] = torch.complex(model["transformer.wpe.weight"], -model["transformer.wpe.weight"]).conj().imag
    assert bad["transformer.wpe.weight"].is_neg()
    save("negative", dict(model=bad, model_args=arguments))
    bad["transformer.wpe.weight"] = model["transformer.wpe.weight"].to(torch.float8_e4m3fn)
    save("float8", dict(model=bad, model_args=arguments))
    huge = {**model, "transformer.wpe.weight": torch.zeros(1, 1).expand(1 << 24, 8)}
    save("huge", dict(model=huge, model_args={**arguments, "block_size": 1 << 24}))


main()
