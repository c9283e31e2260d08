"""Trains the same model with PyTorch and with ddp-train, and compares them; started by pytorch.sh.

Both start from the same random weights (a Hugging Face folder that this script writes) and read the same batches (the
demo corpus in its order). Prints both losses of each iteration, the largest difference and the time of an iteration of
each; exit code 1 where the losses differ by more than 1e-3.
"""

import argparse
import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy
import torch
from safetensors.torch import save_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Tests/Fixtures/pytorch"))
from gpt import GPT, Config, train  # noqa: E402

SHAPES = {
    "baby": dict(n_layer=4, n_head=4, n_embd=128, block_size=64, batch_size=12, gradient_accumulation_steps=2),
    "char": dict(n_layer=6, n_head=6, n_embd=384, block_size=256, batch_size=64, gradient_accumulation_steps=1),
}
TOLERANCE = 1e-3
ACTIVATIONS = {"gelu": "gelu", "gelu_tanh": "gelu_new", "relu": "relu"}  # ours, and in Hugging Face's config.json


def initialize(model):
    """nanoGPT's: N(0, 0.02), smaller for the two projections back to the residual stream; biases 0."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
            elif parameter.dim() >= 2:
                scale = 1 / math.sqrt(2 * model.config.n_layer) if name.endswith("c_proj.weight") else 1
                parameter.normal_(0, 0.02 * scale)


def write_hugging_face(model, folder):
    config = model.config
    folder.mkdir()
    tensors = {name: value.contiguous() for name, value in model.tensors().items()}
    for name, value in list(tensors.items()):
        # GPT-2 has every bias there; "bias" below says that these are not the model's.
        if name.endswith(".weight") and "wte" not in name and "wpe" not in name:
            tensors.setdefault(name[: -len("weight")] + "bias", torch.zeros(value.shape[-1]))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(
        json.dumps(
            dict(
                architectures=["GPT2LMHeadModel"], model_type="gpt2", vocab_size=config.vocab_size,
                n_positions=config.block_size, n_ctx=config.block_size, n_embd=config.n_embd, n_layer=config.n_layer,
                n_head=config.n_head, activation_function=ACTIVATIONS[config.activation], layer_norm_epsilon=1e-5,
                bos_token_id=None, eos_token_id=None, tie_word_embeddings=True, bias=config.bias,
            )
        )
    )


def run_ddp_train(program, weights, data, folder, options):
    """Losses and seconds of each iteration, from the run's metrics."""
    command = [
        program, "train", f"--init_from={weights}", f"--data_dir={data}", "--dataset=demo", f"--out_dir={folder}",
        "--sampling=sequential", "--log_interval=1", "--eval_interval=1000000", "--eval_iters=1", "--dropout=0",
    ] + [f"--{name}={value}" for name, value in options.items()]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(map(str, command))}\nended with exit code {result.returncode}:\n{result.stdout}")
    steps = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    steps = [step for step in steps if step["event"] == "step"]
    return [step["loss"] for step in steps], [step["seconds"] for step in steps]


def run_pytorch(model, data, options):
    losses, seconds, start = [], [], time.perf_counter()
    for loss, _ in train(model, data, options):
        losses.append(loss)
        seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
    return losses, seconds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", help="path of ddp-train")
    parser.add_argument("--shape", choices=SHAPES, default="baby")
    parser.add_argument("--iterations", type=int)
    parser.add_argument("--activation", choices=ACTIVATIONS, default="gelu")
    parser.add_argument("--bias", action="store_true")
    parser.add_argument("--threads", type=int, default=0, help="of both programs (default: all)")
    arguments = parser.parse_args()
    shape = SHAPES[arguments.shape]
    iterations = arguments.iterations or {"baby": 50, "char": 4}[arguments.shape]
    options = dict(
        max_iters=iterations, lr_decay_iters=iterations, warmup_iters=iterations // 10, learning_rate=1e-3, min_lr=1e-4,
        weight_decay=0.1, beta1=0.9, beta2=0.99, grad_clip=1.0, batch_size=shape["batch_size"],
        gradient_accumulation_steps=shape["gradient_accumulation_steps"], block_size=shape["block_size"],
    )
    torch.manual_seed(1337)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)

    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        subprocess.run(
            [arguments.program, "prepare", "demo", f"--data_dir={work / 'data'}"], check=True, stdout=subprocess.DEVNULL
        )
        data = torch.from_numpy(numpy.fromfile(work / "data/demo/train.bin", dtype=numpy.uint16).astype(numpy.int64))
        model = GPT(
            Config(
                n_layer=shape["n_layer"], n_head=shape["n_head"], n_embd=shape["n_embd"],
                block_size=shape["block_size"], vocab_size=int(data.max()) + 1, bias=arguments.bias,
                activation=arguments.activation,
            )
        )
        initialize(model)
        write_hugging_face(model, work / "weights")
        ours, our_seconds = run_ddp_train(
            arguments.program, work / "weights", work / "data", work / "out", options | {"threads": arguments.threads}
        )
        theirs, their_seconds = run_pytorch(model, data, options)

    if len(ours) != len(theirs):
        sys.exit(f"ddp-train made {len(ours)} iterations, PyTorch {len(theirs)}")
    print(f"{'iteration':>9}  {'ddp-train':>10}  {'PyTorch':>10}  {'difference':>10}")
    for iteration, (a, b) in enumerate(zip(ours, theirs)):
        print(f"{iteration:>9}  {a:>10.6f}  {b:>10.6f}  {a - b:>10.1e}")
    largest = max(abs(a - b) for a, b in zip(ours, theirs))
    # The first iterations warm up caches and threads.
    a, b = (1000 * statistics.median(seconds[len(seconds) // 4 :]) for seconds in (our_seconds, their_seconds))
    print(f"time of an iteration, median: ddp-train {a:.1f} ms, PyTorch {torch.__version__} {b:.1f} ms: {b / a:.2f} times as fast")
    print(f"largest difference of the losses: {largest:.1e} ({'within' if largest <= TOLERANCE else 'beyond'} {TOLERANCE})")
    sys.exit(0 if largest <= TOLERANCE else 1)


if __name__ == "__main__":
    main()
