"""Writes this folder's fixtures: small models as other tools write them, and the logits of what is not in ../huggingface_gpt2.

    pip install torch transformers safetensors gguf && python3 Tests/Fixtures/exchange/make.py

Written with torch 2.13, transformers 5.24, gguf 0.19. `sharded`, `model.bin` and `model.gguf` are the model of ../huggingface_gpt2.
"""
import collections
import json
import os
import pathlib
import shutil
import struct
import zipfile

import gguf
import numpy
import torch
from transformers import GPT2Config, GPT2LMHeadModel

folder = pathlib.Path(__file__).parent
LINEAR = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
TOKENS = [3, 0, 12, 7, 7, 1, 9, 4]
CHARACTERS = sorted("\n abcdefghié漢")


def output_first(name, tensor):
    return tensor.t().contiguous() if name.endswith(LINEAR) else tensor


def llmc_header(*words):
    return struct.pack("<256i", *words, *[0] * (256 - len(words)))


def write_llmc(model):
    """As write_model and write_tokenizer of llm.c's train_gpt2.py, from its description."""
    config, weights = model.config, model.state_dict()
    padded = (config.vocab_size + 127) // 128 * 128
    with open(folder / "model.bin", "wb") as file:
        file.write(llmc_header(20240326, 3, config.n_positions, config.vocab_size, config.n_layer, config.n_head,
                               config.n_embd, padded))

        def write(tensor):
            file.write(tensor.detach().numpy().astype("<f4").tobytes())
        embedding = weights["transformer.wte.weight"]
        write(torch.nn.functional.pad(embedding, (0, 0, 0, padded - config.vocab_size)))
        write(weights["transformer.wpe.weight"])
        for part in ["ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj"]:
            for kind in ["weight", "bias"]:
                for layer in range(config.n_layer):
                    name = f"transformer.h.{layer}.{part}.{kind}"
                    write(output_first(name, weights[name]))
        write(weights["transformer.ln_f.weight"])
        write(weights["transformer.ln_f.bias"])
    with open(folder / "tokenizer.bin", "wb") as file:
        file.write(llmc_header(20240328, 2, len(CHARACTERS), 0))
        for token in (c.encode() for c in CHARACTERS):
            file.write(bytes([len(token)]) + token)


def write_gguf(model):
    """With the gguf package's own writer; keys in the order of ddp-train's."""
    config, weights = model.config, model.state_dict()
    writer = gguf.GGUFWriter(folder / "model.gguf", "gpt2")
    writer.add_name("golden")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.n_positions)
    writer.add_embedding_length(config.n_embd)
    writer.add_block_count(config.n_layer)
    writer.add_feed_forward_length(4 * config.n_embd)
    writer.add_head_count(config.n_head)
    writer.add_layer_norm_eps(1e-5)
    table = bytes_to_unicode()
    names = ["".join(table[b] for b in c.encode()) for c in CHARACTERS]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(names)
    writer.add_token_types([gguf.TokenType.NORMAL] * len(names))
    writer.add_token_merges([f"{name[:i]} {name[i]}" for name in names for i in range(1, len(name))])
    parts = gguf.get_tensor_name_map(gguf.MODEL_ARCH.GPT2, config.n_layer)
    for name, tensor in weights.items():
        if name == "lm_head.weight":
            continue
        new = parts.get_name(name.removeprefix("transformer."), try_suffixes=(".weight", ".bias"))
        writer.add_tensor(new, output_first(name, tensor).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def bytes_to_unicode():
    table, extra = {}, 256
    for byte in range(256):
        if 33 <= byte <= 126 or 161 <= byte <= 172 or 174 <= byte <= 255:
            table[byte] = chr(byte)
        else:
            table[byte] = chr(extra)
            extra += 1
    return table


def write_nanogpt():
    """ckpt.pt as nanoGPT's train.py saves it after torch.compile: no biases, a padded vocabulary, the exact GELU."""
    torch.manual_seed(30)
    config = GPT2Config(vocab_size=16, n_positions=8, n_embd=12, n_layer=2, n_head=3, activation_function="gelu",
                        bos_token_id=None, eos_token_id=None)
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3) if not name.endswith(".bias") else parameter.zero_()
        logits = model(torch.tensor([TOKENS])).logits[0]
    state = collections.OrderedDict()
    for name, tensor in model.state_dict().items():
        if not name.endswith(".bias"):
            state["_orig_mod." + name] = output_first(name, tensor)
    state._metadata = collections.OrderedDict({"": {"version": 1}})
    embedding = torch.nn.Parameter(state["_orig_mod.transformer.wte.weight"].clone())
    optimizer = torch.optim.AdamW([embedding], lr=1e-3, betas=(0.9, 0.95))
    embedding.sum().backward()
    optimizer.step()
    arguments = dict(n_layer=2, n_head=3, n_embd=12, block_size=8, bias=False, vocab_size=16, dropout=0.1)
    torch.save(dict(model=state, optimizer=optimizer.state_dict(), model_args=arguments, iter_num=3,
                    best_val_loss=torch.tensor(1.25), config=dict(out_dir="out", learning_rate=1e-3, compile=True)),
               folder / "ckpt.pt")
    rows = [[round(v, 6) for v in row] for row in logits.tolist()]
    (folder / "ckpt.json").write_text(json.dumps({"tokens": TOKENS, "logits": rows}) + "\n")


def write_large_form():
    """ckpt.pt with the directory of an archive above 4 GB: every size and place as a 64-bit number in an extra field."""
    content = (folder / "ckpt.pt").read_bytes()
    with zipfile.ZipFile(folder / "ckpt.pt") as archive:
        entries = archive.infolist()
    start = struct.unpack("<I", content[-6:-2])[0]
    large, directory = 0xFFFFFFFF, b""
    for entry in entries:
        name = entry.filename.encode()
        extra = struct.pack("<HHQQQ", 1, 24, entry.file_size, entry.compress_size, entry.header_offset)
        directory += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 45, 45, entry.flag_bits, 0, 0, 0, entry.CRC, large, large,
                                 len(name), len(extra), 0, 0, 0, 0, large) + name + extra
    end = start + len(directory)
    record = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, len(entries), len(entries), len(directory), start)
    locator = struct.pack("<IIQI", 0x07064B50, 0, end, 1)
    last = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, large, large, 0)
    (folder / "ckpt64.pt").write_bytes(content[:start] + directory + record + locator + last)
    assert torch.load(folder / "ckpt64.pt", weights_only=True)["iter_num"] == 3


class Command:
    def __reduce__(self):
        return os.system, ("touch ran",)


def main():
    model = GPT2LMHeadModel.from_pretrained(folder.parent / "huggingface_gpt2", dtype=torch.float32)
    shutil.rmtree(folder / "sharded", ignore_errors=True)
    model.save_pretrained(folder / "sharded", max_shard_size="8KB")
    (folder / "sharded/generation_config.json").unlink(missing_ok=True)
    write_llmc(model)
    write_gguf(model)
    write_nanogpt()
    write_large_form()
    torch.save(dict(model=Command(), model_args={}), folder / "command.pt")


main()
