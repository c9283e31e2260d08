"""How speed grows with ranks; started by scaling_ranks.sh, which builds ddp-train."""

import argparse
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from machine import processor  # noqa: E402

# Sequences of a step, in micro-batches of as many as one rank of sixteen has.
SHAPES = {
    "baby": {"batch_size": 3, "sequences": 48, "iterations": 60},
    "char": {"batch_size": 1, "sequences": 16, "iterations": 6},
}


def train(program, folder, options, ranks, accumulation, batch_size, iterations):
    """Means of the updates after the first: seconds, seconds of waiting, seconds of communication, tokens a second."""
    run = pathlib.Path(folder) / "run"
    arguments = [
        f"--preset={options.preset}", "--dataset=demo", f"--data_dir={folder}", f"--out_dir={run}", "--overwrite",
        "--threads=1", f"--batch_size={batch_size}", f"--gradient_accumulation_steps={accumulation}", "--eval_iters=1",
        f"--max_iters={iterations + 1}", f"--eval_interval={iterations + 1}", f"--log_interval={iterations}",
        "--check_interval=0",
    ]
    environment = dict(os.environ)
    if options.backend == "mpi":
        if os.getuid() == 0:
            environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        command = ["mpirun", "-np", str(ranks), "--oversubscribe", "--bind-to", "none", program] + arguments
    else:
        command = [program, "launch", "-n", str(ranks), "--"] + arguments
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    if result.returncode != 0:
        sys.exit(f"error: {' '.join(command)} ended with {result.returncode}: {result.stderr.strip()}")
    events = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    step = [event for event in events if event["event"] == "step"][-1]
    assert step["iteration"] == iterations
    return {key: step[key] for key in ("seconds", "waiting_seconds", "communication_seconds", "tokens_per_second")}


def measure(program, folder, options, ranks, weak):
    shape = SHAPES[options.preset]
    accumulation = shape["sequences"] // shape["batch_size"]
    # Weak scaling: every rank has what one of sixteen has of the largest batch; iterations are shorter then.
    if weak:
        accumulation = max(1, accumulation // 16) * ranks
    runs = [
        train(program, folder, options, ranks, accumulation, shape["batch_size"], shape["iterations"])
        for _ in range(options.runs)
    ]
    # The run in the middle, whole, so that its parts belong together.
    run = sorted(runs, key=lambda run: run["seconds"])[len(runs) // 2]
    speeds = [run["tokens_per_second"] for run in runs]
    return run | {
        "ranks": ranks, "sequences": accumulation * shape["batch_size"], "tokens_per_second_range": [min(speeds), max(speeds)],
    }


def table(rows, cores):
    lines = [
        "| ranks | sequences a step | tokens/s | of one rank's | ms a step | computing | waiting | communication |",
        "|" + " --- |" * 8,
    ]
    for row in rows:
        speedup = row["tokens_per_second"] / rows[0]["tokens_per_second"]
        ideal = min(row["ranks"], cores)
        mark = "" if row["ranks"] <= cores else f" (beyond {cores} cores)"
        lines.append(
            f"| {row['ranks']}{mark} | {row['sequences']} | {row['tokens_per_second']:,.0f} | "
            f"{speedup:.2f} ({100 * speedup / ideal:.0f} % of {ideal}) | {1e3 * row['seconds']:.1f} | "
            f"{1e3 * (row['seconds'] - row['waiting_seconds']):.1f} | {1e3 * row['waiting_seconds']:.1f} | "
            f"{1e3 * row['communication_seconds']:.1f} |"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--preset", choices=SHAPES, default="baby")
    parser.add_argument("--ranks", default="1,2,4,8,16")
    parser.add_argument("--backend", choices=("tcp", "mpi"), default="tcp")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--output", default="scripts/results")
    options = parser.parse_args()
    ranks = [int(text) for text in options.ranks.split(",")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [options.program, "prepare", "demo", "--data_dir", folder], check=True, capture_output=True,
        )
        results = {}
        for name in ("strong", "weak"):
            results[name] = []
            for count in ranks:
                row = measure(options.program, folder, options, count, name == "weak")
                results[name].append(row)
                print(f"{name}, {count} ranks: {row['tokens_per_second']:,.0f} tokens/s", file=sys.stderr, flush=True)
    document = {
        "date": datetime.date.today().isoformat(), "processor": processor(), "cores": cores, "preset": options.preset,
        "backend": options.backend, "runs": options.runs, "scaling": results,
    }
    text = "\n".join([
        "# Speed by ranks",
        "",
        f"`scripts/measure/scaling_ranks.sh --preset {options.preset} --backend {options.backend} --runs {options.runs}`, "
        f"{document['date']}, {processor()}, {cores} cores, ranks of one thread on one machine over {options.backend}. Of each "
        "row the run in the middle. Milliseconds are rank 0's: computing and waiting make up the step, communication goes on "
        "beside the backward pass, and only what is left of it after that is waited for. Ranks beyond the cores share them, so "
        "their rows show what more ranks cost on this machine, not how many machines scale.",
        "",
        "## Strong: the same batch on more ranks",
        "",
        table(results["strong"], cores),
        "",
        "## Weak: a batch that grows with the ranks",
        "",
        table(results["weak"], cores),
        "",
    ])
    output = pathlib.Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    (output / "ranks.json").write_text(json.dumps(document, indent=2) + "\n")
    (output / "ranks.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
