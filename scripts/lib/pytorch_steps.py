"""Times whole training steps of a GPT in PyTorch, and prints them as one JSON object; started by speed.py.

A step is forward, backward, clipping at 1.0 and AdamW, in float32, on random tokens, as nanoGPT does it.
"""

import argparse
import json
import pathlib
import resource
import statistics
import sys
import time

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "Tests/Fixtures/pytorch"))
from gpt import GPT, Config  # noqa: E402


def peak_memory():
    """Bytes; on Linux not getrusage's, which counts what the process that started this one had."""
    try:
        for line in pathlib.Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


OPTIMIZERS = {"fused": {"fused": True}, "foreach": {"foreach": True}}


def faster_optimizer(make):
    """The form of AdamW that updates these parameters in less time."""
    best = {}
    for name in OPTIMIZERS:
        optimizer = make(name)
        optimizer.step()  # allocates the moments
        seconds = []
        for _ in range(5):
            start = time.perf_counter()
            optimizer.step()
            seconds.append(time.perf_counter() - start)
        best[name] = min(seconds)
    return min(best, key=best.get)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("shape", type=json.loads, help="n_layer and so on, as JSON")
    parser.add_argument("--form", choices=["eager", "compile"], required=True)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument(
        "--optimizer", choices=OPTIMIZERS, help="form of AdamW; without one, prints which is faster here, and ends"
    )
    arguments = parser.parse_args()
    shape = arguments.shape
    torch.manual_seed(1337)
    torch.set_num_threads(arguments.threads)

    model = GPT(
        Config(
            n_layer=shape["n_layer"], n_head=shape["n_head"], n_embd=shape["n_embd"], block_size=shape["block_size"],
            vocab_size=shape["vocab_size"], bias=shape["bias"], activation=shape["activation"],
            dropout=shape["dropout"],
        )
    )
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() >= 2:
                parameter.normal_(0, 0.02)
    forward = torch.compile(model) if arguments.form == "compile" else model
    batch, block = shape["batch_size"], shape["block_size"]

    def step(optimizer):
        windows = torch.randint(shape["vocab_size"], (batch, block + 1))
        _, loss = forward(windows[:, :-1].contiguous(), windows[:, 1:].contiguous())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if optimizer is not None:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return loss.item()

    def make(name):
        return model.optimizer(1e-3, 0.1, (0.9, 0.99), **OPTIMIZERS[name])

    if not arguments.optimizer:
        step(None)
        print(json.dumps(dict(optimizer=faster_optimizer(make))))
        return
    optimizer = make(arguments.optimizer)
    step(optimizer)  # compiles
    warm_up, begin = 0, time.perf_counter()
    while warm_up < 2 or time.perf_counter() - begin < 1:
        start = time.perf_counter()
        step(optimizer)
        last = time.perf_counter() - start
        warm_up += 1
    steps = arguments.steps or min(200, max(5, int(10 / last)))
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        loss = step(optimizer)
        seconds.append(time.perf_counter() - start)
    if loss != loss:
        sys.exit("PyTorch's loss is not a number")
    median = statistics.median(seconds)
    print(
        json.dumps(
            dict(
                tokens_per_second=batch * block / median, median_ms=1000 * median, min_ms=1000 * min(seconds),
                max_ms=1000 * max(seconds), steps=steps, peak_rss_bytes=peak_memory(), optimizer=arguments.optimizer,
                version=torch.__version__, threads=torch.get_num_threads(),
            )
        )
    )


if __name__ == "__main__":
    main()
