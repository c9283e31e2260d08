"""Real runs with their logs: see real_runs.sh, which builds ddp-train and runs this."""

import argparse
import datetime
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time

import numpy
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("scripts/compare", "scripts/lib", "Tests/Fixtures/pytorch")]
import gpt  # noqa: E402
import pytorch as compare_pytorch  # noqa: E402
from machine import processor  # noqa: E402

MPI = ["mpirun", "-np", "2", "--oversubscribe", "--bind-to", "none"]


class Place:
    """Where a run works, and where its logs go."""

    def __init__(self, program, data, output, keep, work):
        self.program, self.data, self.output, self.keep, self.work = program, data, output, keep, pathlib.Path(work)
        self.environment = dict(os.environ)
        if os.getuid() == 0:
            self.environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}

    def shown(self, command):
        """The command as a user types it: the program by its name, and no folder of this machine."""
        text = shlex.join(str(word) for word in command).replace(str(self.program), "ddp-train")
        return text.replace(f"{self.work}/", "").replace(f"{self.data}/", "") if self.data else text.replace(f"{self.work}/", "")

    def run(self, *command, log=None, may_fail=False):
        """What a command printed; with `log`, kept under that name too."""
        command = [str(word) for word in command]
        print(f"$ {self.shown(command)}", flush=True)
        result = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=self.work, env=self.environment
        )
        if result.returncode and not may_fail:
            sys.exit(f"error: it ended with code {result.returncode}:\n{result.stdout}")
        if log:
            self.log(log, f"$ {self.shown(command)}\n{result.stdout}")
        return result.stdout

    def log(self, name, text):
        text = text.replace(f"{self.work}/", "").replace(str(self.program), "ddp-train")
        (self.output / f"{name}.log").write_text(text)

    def shakespeare(self):
        """The path of the text, or nothing where the program is to download it."""
        return [f"--from={self.data / 'tinyshakespeare/input.txt'}"] if self.data else []

    def events(self, run):
        return [json.loads(line) for line in (self.work / run / "metrics.jsonl").read_text().splitlines()]


def losses(events):
    return {event["iteration"]: event["loss"] for event in events if event["event"] == "step"}


def validation(events):
    return {event["iteration"]: event["val_loss"] for event in events if event["event"] == "evaluation"}


# ---- nanoGPT's shakespeare_char, to its first evaluation


CHAR = ["--preset=char", "--dataset=shakespeare_char", "--max_iters=250", "--eval_iters=10", "--log_interval=10"]
CHAR_RUNS = {"char": "one process", "char-mpi": "mpirun -np 2", "char-pytorch": "PyTorch"}


def char(place, launcher=(), folder="char"):
    place.run(place.program, "prepare", "shakespeare_char", *place.shakespeare())
    text = place.run(*launcher, place.program, *CHAR, f"--out_dir={folder}", log=folder)
    events = place.events(folder)
    # A report is one file: it is kept where it can be looked at, not with the results.
    if place.keep:
        (place.keep / f"{folder}.html").write_text((place.work / folder / "report.html").read_text())
    whole = json.loads(place.run(place.program, "eval", f"--out_dir={folder}", "--which=latest", "--json"))
    return dict(
        options=CHAR, losses=losses(events), validation=validation(events), whole_split=whole["loss"],
        parameters=re.search(r"^parameters (\w+)", text, re.M)[1],
    )


def char_by_mpi(place):
    return char(place, MPI, "char-mpi")


def char_in_pytorch(place):
    """The same model, data, batch and optimizer in PyTorch, from its own random numbers, compiled."""
    place.run(place.program, "prepare", "shakespeare_char", *place.shakespeare())
    torch.manual_seed(1337)
    shape = gpt.Config(n_layer=6, n_head=6, n_embd=384, block_size=256, vocab_size=65, bias=False, activation="gelu", dropout=0.2)
    # config/train_shakespeare_char.py of nanoGPT, whose schedule goes on to 5000.
    options = dict(learning_rate=1e-3, min_lr=1e-4, warmup_iters=100, lr_decay_iters=5000)
    train, val = (
        torch.from_numpy(numpy.fromfile(place.work / f"data/shakespeare_char/{split}.bin", dtype=numpy.uint16).astype(numpy.int64))
        for split in ("train", "val")
    )
    model = gpt.GPT(shape)
    compare_pytorch.initialize(model)
    compiled = torch.compile(model)
    optimizer = model.optimizer(options["learning_rate"], 0.1, (0.9, 0.99))
    batch, block = 64, shape.block_size

    def windows(data):
        starts = torch.randint(len(data) - block, (batch, 1))
        found = data[starts + torch.arange(block + 1)]
        return found[:, :-1].contiguous(), found[:, 1:].contiguous()

    @torch.no_grad()
    def evaluate():
        model.eval()
        loss = numpy.mean([model(*windows(val))[1].item() for _ in range(10)])
        model.train()
        return loss

    @torch.no_grad()
    def whole_split():
        """As `ddp-train eval`: the split cut into blocks, and the rest as a shorter one."""
        model.eval()
        total = 0.0
        for start in range(0, len(val) - 1, block):
            piece = val[start : start + block + 1]
            total += model(piece[None, :-1], piece[None, 1:])[1].item() * (len(piece) - 1)
        model.train()
        return total / (len(val) - 1)

    lines, steps, evaluations, seconds = [f"PyTorch {torch.__version__}, compiled, {torch.get_num_threads()} threads"], {}, {}, []
    for iteration in range(251):
        if iteration in (0, 250):
            evaluations[iteration] = evaluate()
            lines.append(f"step {iteration}: val loss {evaluations[iteration]:.4f}")
        if iteration == 250:
            break
        start = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = gpt.learning_rate(iteration, options)
        loss = compiled(*windows(train))[1]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        steps[iteration] = loss.item()
        seconds.append(time.perf_counter() - start)
        if iteration % 10 == 0:
            lines.append(f"iter {iteration}: loss {steps[iteration]:.4f}, time {seconds[-1] * 1000:.0f}ms")
            print(lines[-1], flush=True)
    whole = whole_split()
    lines.append(f"whole validation split: {whole:.4f}")
    place.log("char-pytorch", "\n".join(lines) + "\n")
    return dict(
        options=CHAR, losses={i: loss for i, loss in steps.items() if i % 10 == 0}, validation=evaluations, whole_split=whole
    )


# ---- GPT-2's shape on the same batches as PyTorch


def gpt2(place):
    tokenizer = place.data / "gpt2/vocab.bpe" if place.data else "gpt2"
    place.run(
        place.program, "prepare", "shakespeare", *place.shakespeare(), f"--tokenizer={tokenizer}", "--name=shakespeare_gpt2"
    )
    data = torch.from_numpy(
        numpy.fromfile(place.work / "data/shakespeare_gpt2/train.bin", dtype=numpy.uint16).astype(numpy.int64)
    )
    options = dict(
        max_iters=20, lr_decay_iters=20, warmup_iters=5, learning_rate=6e-4, min_lr=6e-5, weight_decay=0.1, beta1=0.9,
        beta2=0.95, grad_clip=1.0, batch_size=1, gradient_accumulation_steps=4, block_size=1024,
    )
    torch.manual_seed(1337)
    model = gpt.GPT(
        gpt.Config(n_layer=12, n_head=12, n_embd=768, block_size=1024, vocab_size=50257, bias=False, activation="gelu")
    )
    compare_pytorch.initialize(model)
    compare_pytorch.write_hugging_face(model, place.work / "gpt2-weights")
    arguments = [
        "--init_from=gpt2-weights", "--dataset=shakespeare_gpt2", "--out_dir=gpt2-run", "--sampling=sequential", "--dropout=0",
        "--log_interval=1", "--eval_interval=20", "--eval_iters=1",
    ] + [f"--{name}={value}" for name, value in options.items()]
    place.run(*MPI, place.program, *arguments, log="gpt2-mpi-2")
    events = place.events("gpt2-run")
    theirs, lines, seconds, start = {}, [f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads"], [], time.perf_counter()
    for iteration, (loss, norm) in enumerate(gpt.train(model, data, options)):
        seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
        theirs[iteration] = loss
        lines.append(f"iter {iteration}: loss {loss:.6f}, gradient norm {norm:.4f}, time {seconds[-1] * 1000:.0f}ms")
        print(lines[-1], flush=True)
    place.log("gpt2-pytorch", "\n".join(lines) + "\n")
    return dict(
        options=arguments,
        runs={
            "mpirun -np 2": dict(losses=losses(events)),
            "PyTorch": dict(losses=theirs),
        },
    )


# ---- Byte pairs of one's own, on a text of a book's size


def bpe(place):
    text = place.work / "book.txt"
    if place.data:
        text.write_bytes((place.data / "tinyshakespeare/input.txt").read_bytes())
    else:
        sys.exit("error: bpe needs a text: name a folder with --data")
    log = place.run(place.program, "tokenizer", "train", "--vocab_size=1024", "--input=book.txt", "--output=tok")
    log += place.run(place.program, "tokenizer", "info", "--tokenizer=tok", "FILE:book.txt")
    log += place.run(place.program, "prepare", "--input=book.txt", "--name=book", "--tokenizer=tok")
    options = [
        "--preset=tiny", "--dataset=book", "--max_iters=2000", "--lr_decay_iters=2000", "--eval_interval=500", "--out_dir=bpe-run"
    ]
    log += place.run(place.program, *options, log="bpe")
    whole = json.loads(place.run(place.program, "eval", "--out_dir=bpe-run", "--json"))
    sample = place.run(place.program, "sample", "--out_dir=bpe-run", "--num_samples=1", "--max_new_tokens=80", "--seed=1337")
    place.log("bpe", log + sample)
    events = place.events("bpe-run")
    return dict(options=options, validation=validation(events), whole=whole, sample=sample)


# ---- Killed and resumed


def killed(place):
    place.run(place.program, "prepare", "shakespeare_char", *place.shakespeare())
    options = [
        "--preset=baby", "--dataset=shakespeare_char", "--max_iters=1000", "--lr_decay_iters=1000", "--eval_interval=100",
        "--eval_iters=20", "--always_save_checkpoint=true", "--log_interval=50",
    ]
    text = place.run(place.program, *options, "--out_dir=whole-run", log="killed-reference")
    log, kills = "", []
    command = [place.program, *options, "--out_dir=killed-run"]
    for after in (250, 600, None):
        print(f"$ {place.shown(command)}" + (f"   # SIGKILL once iteration {after} is logged" if after else ""), flush=True)
        process = subprocess.Popen(
            [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=place.work
        )
        log += f"$ {place.shown(command)}\n"
        for line in process.stdout:
            log += line
            if after and re.match(rf"iter {after}:", line):
                process.send_signal(signal.SIGKILL)
                log += f"(killed: SIGKILL after this line)\n"
                kills.append(after)
                after = None
                break
        process.stdout.read()
        process.wait()
        command = [place.program, "--out_dir=killed-run", "--init_from=resume"]
    place.log("killed", log)
    place.run(place.program, "checkpoint", "verify", "killed-run")
    difference = place.run(
        place.program, "checkpoint", "diff", "whole-run", "killed-run", "--which=latest", may_fail=True
    )
    hashes = [re.findall(r"^parameters (\w+)", text, re.M)[-1] for text in (text, log)]
    if hashes[0] != hashes[1]:
        sys.exit(f"error: the run that was killed ended at parameters {hashes[1]}, the whole one at {hashes[0]}:\n{difference}")
    return dict(options=options, kills=kills, parameters=hashes[0], resumed_at=re.findall(r"resumed at iteration (\d+)", log))


# ---- The page


def table(heading, rows):
    lines = ["| " + " | ".join(heading) + " |", "|" + " --- |" * len(heading)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def number(values, key, digits=4):
    value = values.get(str(key), values.get(key))
    return "" if value is None else f"{value:.{digits}f}"


COLORS = ["#0b6e99", "#d9480f", "#5c940d"]
DASHES = ["", "7 5", "2 4"]


def curves(runs):
    """Loss by iteration as SVG, a line each run; dashed ones lie on the first where they are the same."""
    width, height, left, bottom, top = 720, 340, 50, 40, 16
    iterations = [int(i) for run in runs.values() for i in run["losses"]]
    values = [loss for run in runs.values() for loss in run["losses"].values()]
    most, low, high = max(iterations), int(min(values) * 2) / 2, -(-max(values) * 2 // 1) / 2

    def x(iteration):
        return left + (width - left - 20) * iteration / most

    def y(loss):
        return top + (height - top - bottom) * (high - loss) / (high - low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13" fill="#333">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for step in range(int((high - low) * 2) + 1):
        loss = low + step / 2
        parts += [
            f'<line x1="{left}" x2="{width - 20}" y1="{y(loss):.1f}" y2="{y(loss):.1f}" stroke="#ddd"/>',
            f'<text x="{left - 8}" y="{y(loss) + 4:.1f}" text-anchor="end">{loss:.1f}</text>',
        ]
    for iteration in range(0, most + 1, 50):
        parts.append(f'<text x="{x(iteration):.1f}" y="{height - 20}" text-anchor="middle">{iteration}</text>')
    parts.append(f'<text x="{(left + width) / 2}" y="{height - 4}" text-anchor="middle">iteration</text>')
    for index, (name, run) in enumerate(runs.items()):
        style = f'stroke="{COLORS[index]}" stroke-width="{[3, 2, 2][index]}" stroke-dasharray="{DASHES[index]}" fill="none"'
        points = " ".join(f"{x(int(i)):.1f},{y(loss):.1f}" for i, loss in run["losses"].items())
        line = top + 14 + 20 * index
        parts += [
            f'<polyline points="{points}" {style}/>',
            f'<line x1="{width - 220}" x2="{width - 180}" y1="{line}" y2="{line}" {style}/>',
            f'<text x="{width - 170}" y="{line + 4}">{name}</text>',
        ]
    return "\n".join(parts + ["</svg>"]) + "\n"


def page(results):
    parts = [
        "# Real runs\n\n`scripts/measure/real_runs.sh`, which writes this page; what each run printed lies beside it as a `.log`. "
        "What a run takes is measured elsewhere (speed.md), on a machine that does nothing else; times in these logs are of a busy one."
    ]
    chars = {CHAR_RUNS[name]: results[name] for name in CHAR_RUNS if name in results}
    for name, result in results.items():
        head = f"{result['date']}, {result['processor']}, {result['cores']} cores"
        options = " ".join(result["options"])
        if name in CHAR_RUNS and chars:
            names = list(chars)
            parts += [
                f"## shakespeare_char at nanoGPT's shape, to iteration 250\n\n`ddp-train {options}`; `mpirun -np 2` is the same by two "
                "ranks, PyTorch the same shape and options with its own random numbers, compiled.",
                table(
                    ["", *names],
                    [
                        ["day"] + [chars[n]["date"] for n in names],
                        ["machine"] + [f"{chars[n]['processor']}, {chars[n]['cores']} cores" for n in names],
                        ["validation loss at 250, 10 batches"] + [number(chars[n]["validation"], 250) for n in names],
                        ["whole validation split"] + [f"{chars[n]['whole_split']:.4f}" for n in names],
                    ],
                ),
            ]
            if {"char", "char-mpi"} <= set(results):
                one, two = results["char"]["losses"], results["char-mpi"]["losses"]
                differences = {int(i): abs(one[i] - two[i]) for i in one}
                parts.append(
                    "One process and two ranks see the same batches and dropout. Sums over ranks, and those of another processor's "
                    f"kernels, are made in another order, and what they differ by grows as they train: at most "
                    f"{max(v for i, v in differences.items() if i <= 100):.1e} up to iteration 100, "
                    f"{max(differences.values()):.1e} in all. The loss of each tenth iteration:"
                )
            parts.append("![Training loss by iteration, a line each run](char.svg)")
            iterations = next(iter(chars.values()))["losses"]
            parts.append(table(["iteration", *names], [[i] + [number(chars[n]["losses"], i) for n in names] for i in iterations]))
            chars = {}
        elif name == "gpt2":
            ours, theirs = result["runs"]["mpirun -np 2"], result["runs"]["PyTorch"]
            rows = [
                [i, f"{loss:.6f}", number(theirs["losses"], i, 6), f"{abs(loss - theirs['losses'][i]):.1e}"]
                for i, loss in ours["losses"].items()
            ]
            parts += [
                f"## GPT-2, 124M parameters, block 1024\n\n`mpirun -np 2 ddp-train {options}` beside PyTorch from the same "
                f"weights on the same batches; {head}.",
                table(["iteration", "ddp-train, 2 ranks", "PyTorch", "difference"], rows),
            ]
        elif name == "bpe":
            whole = result["whole"]
            rows = [[i, f"{loss:.4f}"] for i, loss in result["validation"].items()]
            sample = result["sample"].strip()
            parts += [
                f"## Byte pairs of one's own, 1.1 MB of text\n\n`ddp-train tokenizer train --vocab_size=1024 --input=book.txt "
                f"--output=tok`, `ddp-train prepare --input=book.txt --name=book --tokenizer=tok`, `ddp-train {options}`; {head}. "
                f"The whole validation split: {whole['loss']:.4f} nats a "
                f"token, {whole['bits_per_byte']:.4f} bits a byte.",
                table(["iteration", "validation loss"], rows),
                f"```\n{sample}\n```",
            ]
        elif name == "killed":
            parts.append(
                f"## Killed and resumed\n\n`ddp-train {options}`; {head}. Killed with SIGKILL after iterations "
                f"{' and '.join(map(str, result['kills']))}, resumed with `--init_from=resume` at {' and '.join(result['resumed_at'])}, it "
                f"ends at parameters {result['parameters']}: those of the run that nobody killed."
            )
    return "\n\n".join(parts) + "\n"


RUNS = {
    "char": char, "char-mpi": char_by_mpi, "char-pytorch": char_in_pytorch, "gpt2": gpt2, "bpe": bpe, "killed": killed,
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=lambda path: pathlib.Path(path).resolve(), help="path of ddp-train")
    parser.add_argument("--only", type=lambda names: names.split(","), default=list(RUNS))
    parser.add_argument("--data", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "scripts/results/runs")
    parser.add_argument("--keep", type=lambda path: pathlib.Path(path).resolve(), help="folder for reports of the char runs")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.only if name not in RUNS]
    if unknown:
        parser.error(f"there is no run {unknown[0]}; choose of {', '.join(RUNS)}")
    output = arguments.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    stored = output / "runs.json"
    results = json.loads(stored.read_text()) if stored.exists() else {}
    for name in arguments.only:
        with tempfile.TemporaryDirectory() as work:
            result = RUNS[name](Place(arguments.program, arguments.data, output, arguments.keep, work))
        result |= dict(date=str(datetime.date.today()), processor=processor(), cores=os.cpu_count())
        results[name] = json.loads(json.dumps(result))
        results = {key: results[key] for key in RUNS if key in results}
        stored.write_text(json.dumps(results, indent=1) + "\n")
        chars = {CHAR_RUNS[key]: results[key] for key in CHAR_RUNS if key in results}
        if chars:
            (output / "char.svg").write_text(curves(chars))
        (output / "runs.md").write_text(page(results))
    print(f"results: {stored}, runs.md")


if __name__ == "__main__":
    main()
