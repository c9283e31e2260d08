"""How cost grows; started by scaling_table.sh, which builds ddp-train."""

import argparse
import datetime
import json
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from machine import processor  # noqa: E402

# From here one size at a time changes; rows of a step stay at 2048 where block or batch do not.
BASE = {"n_layer": 4, "n_head": 6, "n_embd": 384, "block_size": 256, "batch_size": 8, "vocab_size": 1024, "threads": 0}
HEAD_SIZE = 64


def sweeps():
    return {
        "block_size": [{"block_size": b, "batch_size": max(1, 2048 // b)} for b in (64, 128, 256, 512, 1024, 2048, 4096)],
        "n_embd": [
            # A wider model gets fewer rows, so that no shape takes minutes.
            {"n_embd": w, "n_head": w // HEAD_SIZE, "batch_size": 8 if w <= 768 else 4}
            for w in (128, 256, 384, 768, 1024, 1600)
        ],
        "n_layer": [{"n_layer": n} for n in (1, 2, 4, 8, 16)],
        "batch_size": [{"batch_size": b} for b in (1, 2, 4, 8, 16, 32)],
        "vocab_size": [{"vocab_size": v} for v in (65, 1024, 8192, 32768, 50304)],
        "threads": [{"threads": t} for t in (1, 2, 3, 4, 8, 16)],
    }


def call(program, command, options):
    arguments = [program, command, "--json"] + [f"--{name}={value}" for name, value in options.items()]
    result = subprocess.run(arguments, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"error: {' '.join(arguments)} ended with {result.returncode}: {result.stderr.strip()}")
    return json.loads(result.stdout)


def measure(program, shape, steps):
    bench = call(program, "bench", shape | {"steps": steps, "warmup": 1})
    # Micro-batches of a step are the bench's one; nothing of the plan but memory and the step is used.
    plan = call(program, "plan", shape | {"gradient_accumulation_steps": 1, "dropout": 0.0})
    # A bench opens no data set and writes no sample.
    planned = plan["memory_bytes"] - plan["memory"]["samples"] - plan["memory"]["token_files"]
    tokens = shape["batch_size"] * shape["block_size"]
    step = tokens / bench["tokens_per_second"]
    return shape | {
        "step_seconds": step,
        "planned_step_seconds": plan["step_seconds"],
        "tokens_per_second": bench["tokens_per_second"],
        "counted_gflops": bench["counted_gflops"],
        "gemm_peak_gflops": bench["gemm_peak_gflops"],
        "peak_rss_bytes": bench["peak_rss_bytes"],
        "planned_memory_bytes": planned,
    }


COLUMNS = [
    ("ms a step", lambda r: f"{1e3 * r['step_seconds']:.1f}"),
    ("tokens/s", lambda r: f"{r['tokens_per_second']:,.0f}"),
    ("GFLOP/s", lambda r: f"{r['counted_gflops']:.0f}"),
    ("of peak", lambda r: f"{100 * r['counted_gflops'] / r['gemm_peak_gflops']:.0f} %"),
    ("MB", lambda r: f"{r['peak_rss_bytes'] / 1e6:.0f}"),
    ("memory planned/measured", lambda r: f"{r['planned_memory_bytes'] / r['peak_rss_bytes']:.2f}"),
    ("time planned/measured", lambda r: f"{r['planned_step_seconds'] / r['step_seconds']:.2f}"),
]


def table(name, rows):
    also = [key for key in ("n_head", "batch_size") if key != name and len({row[key] for row in rows}) > 1]
    header = [name] + also + [title for title, _ in COLUMNS]
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    for row in rows:
        cells = [str(row[key]) for key in [name] + also] + [text(row) for _, text in COLUMNS]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def sweep_names(text):
    names = text.split(",")
    for name in names:
        if name not in sweeps():
            raise argparse.ArgumentTypeError(f"{name}: must be one of {', '.join(sweeps())}")
    return names


def main():
    parser = argparse.ArgumentParser(prog="scripts/measure/scaling_table.sh", allow_abbrev=False)
    parser.add_argument("program")
    parser.add_argument("--quick", action="store_true", help="the first and last of each sweep, one step each")
    parser.add_argument("--only", type=sweep_names, metavar="SWEEP[,SWEEP…]")
    parser.add_argument("--output", default="scripts/results")
    options = parser.parse_args()
    start = time.time()
    load = os.getloadavg()[0]
    cores = call(options.program, "doctor", {})["cores"]["usable"]
    results = {}
    for name, changes in sweeps().items():
        if options.only and name not in options.only:
            continue
        if options.quick:
            changes = [changes[0], changes[-1]]
        results[name] = []
        for change in changes:
            shape = BASE | change
            results[name].append(measure(options.program, shape, 1 if options.quick else 3))
            print(f"{name} {change}: {json.dumps(results[name][-1])}", file=sys.stderr)

    version = subprocess.run([options.program, "--version"], capture_output=True, text=True).stdout.strip()
    today = datetime.date.today().isoformat()
    machine = f"{processor()}, {cores} cores"
    seconds = time.time() - start
    quick = " --quick" if options.quick else ""
    text = f"""# How cost grows

Made by `scripts/measure/scaling_table.sh{quick}` on {today} in {seconds:.0f} s with ddp-train {version} on {machine}, where {load:.1f}
other threads were at work when it began. One size changes at a time, from {BASE["n_layer"]} layers of {BASE["n_embd"]}, block
{BASE["block_size"]}, batch {BASE["batch_size"]}, vocabulary {BASE["vocab_size"]:,}, every core.

GFLOP/s are counted by nanoGPT's formula: where their share of the peak, measured in the same run, stays level, time is in
step with the operations. Memory and time stand beside what `ddp-train plan` said; other load that comes or goes between the
two shows in the time. Threads beyond the cores show only that nothing breaks down.
"""
    for name, rows in results.items():
        text += f"\n## {name}\n\n{table(name, rows)}\n"
    folder = pathlib.Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scaling.md").write_text(text)
    report = {"date": today, "machine": machine, "load": load, "version": version, "seconds": round(seconds), "sweeps": results}
    (folder / "scaling.json").write_text(json.dumps(report, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main()
