"""Times training steps of PyTorch and of ddp-train in turns; started by speed.sh, which explains the options."""

import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts/lib"))
from machine import processor  # noqa: E402


def shape(n_layer, n_head, n_embd, block_size, batch_size, vocab_size, dropout=0.0):
    return dict(
        n_layer=n_layer, n_head=n_head, n_embd=n_embd, block_size=block_size, batch_size=batch_size,
        gradient_accumulation_steps=1, vocab_size=vocab_size, dropout=dropout, bias=False, activation="gelu",
    )


# As `ddp-train bench --preset` has them, which is checked.
SHAPES = {
    "baby": shape(4, 4, 128, 64, 12, 65),
    "char": shape(6, 6, 384, 256, 64, 65, dropout=0.2),
    "char-nodropout": shape(6, 6, 384, 256, 64, 65),
    "gpt2": shape(12, 12, 768, 1024, 1, 50304),
}
# A form of PyTorch that is this much slower in both of the first two pairs is not run again.
HOPELESS = 1.15


def run(command):
    """Runs a process of its own and returns the JSON object that it prints last."""
    result = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if result.returncode:
        sys.exit(f"error: {command[0]} ended with exit code {result.returncode}:\n{result.stderr.strip()[-2000:]}")
    return json.loads(result.stdout.strip().splitlines()[-1])


class Comparison:
    def __init__(self, arguments, name):
        self.program = arguments.program
        self.name = name
        self.shape = SHAPES[name]
        self.threads = arguments.threads
        self.steps = arguments.steps
        self.optimizer = self.pytorch("eager", None)["optimizer"]

    def pytorch(self, form, optimizer):
        options = [f"--form={form}", f"--threads={self.threads}", f"--steps={self.steps}"]
        if optimizer:
            options.append(f"--optimizer={optimizer}")
        return run([sys.executable, ROOT / "scripts/lib/pytorch_steps.py", json.dumps(self.shape)] + options)

    def ddp_train(self):
        options = ["--json", f"--preset={self.name}", f"--threads={self.threads}"]
        if self.steps:
            options.append(f"--steps={self.steps}")
        result = run([self.program, "bench"] + options)
        differing = {k for k, v in self.shape.items() if result["shape"][k] != v}
        if differing:
            sys.exit(f"error: {self.name} is another shape for ddp-train in {', '.join(sorted(differing))}")
        return result

    def pairs(self, count):
        forms = ["eager"] + (["compile"] if compiler() else [])
        pairs, lost = [], dict.fromkeys(forms, 0)
        for index in range(count):
            runs = {form: self.pytorch(form, self.optimizer) for form in forms}
            ours = self.ddp_train()
            pairs.append(dict(pytorch=runs, ddp_train=ours))
            best = max(run["tokens_per_second"] for run in runs.values())
            text = ", ".join(f"PyTorch {form} {run['tokens_per_second']:,.0f}" for form, run in runs.items())
            print(
                f"{self.name}, pair {index + 1} of {count}: {text}, ddp-train {ours['tokens_per_second']:,.0f} tokens/s: "
                f"{ours['tokens_per_second'] / best:.2f} times as fast",
                flush=True,
            )
            for form, measured in runs.items():
                lost[form] += index < 2 and measured["tokens_per_second"] * HOPELESS < best
            forms = [form for form in forms if lost[form] < 2]
        return pairs

    def result(self, pairs):
        """Figures over all pairs; the form of PyTorch that ddp-train is compared with is the one with the faster median."""

        def median(runs, key):
            value = statistics.median(run[key] for run in runs)
            return int(value) if key.endswith("_bytes") else value

        forms = {form: [p["pytorch"][form] for p in pairs if form in p["pytorch"]] for form in pairs[0]["pytorch"]}
        # Of those that were in every pair: the others were far behind.
        lasting = [form for form in forms if len(forms[form]) == len(pairs)]
        faster = max(lasting, key=lambda form: median(forms[form], "tokens_per_second"))
        ours = [p["ddp_train"] for p in pairs]
        ratios = [
            p["ddp_train"]["tokens_per_second"] / p["pytorch"][faster]["tokens_per_second"] for p in pairs
        ]
        figures = ("tokens_per_second", "median_ms", "peak_rss_bytes")
        return dict(
            date=datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
            machine=machine(ours[0]),
            versions=dict(ddp_train=commit(), pytorch=forms[faster][0]["version"], python=platform.python_version()),
            shape=self.shape,
            threads=self.threads,
            ratio=statistics.median(ratios),
            ratios=ratios,
            pytorch_form=faster,
            pytorch={
                form: {key: median(runs, key) for key in figures} | {"runs": len(runs), "optimizer": self.optimizer}
                for form, runs in forms.items()
            },
            ddp_train={
                key: median(ours, key)
                for key in figures + ("counted_gflops", "gemm_peak_gflops", "gemm_peak_share")
            } | {"runs": len(ours)},
        )


def compiler():
    return shutil.which(os.environ.get("CXX", "")) or shutil.which("g++") or shutil.which("clang++")


def machine(bench):
    return dict(
        processor=processor(), cores=cores(), isa=bench["isa"], blas=bench["blas"],
        system=f"{platform.system()} {platform.machine()}",
    )


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def commit():
    def git(*words):
        result = subprocess.run(["git", "-C", ROOT, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return result.stdout.strip()

    return git("rev-parse", "--short", "HEAD") + (" with changes" if git("status", "--porcelain", "Sources") else "")


def write_results(folder, results):
    """Adds to the results of earlier runs that are there."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "speed.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    known |= results
    known = {name: known[name] for name in SHAPES if name in known}
    path.write_text(json.dumps(known, indent=1) + "\n")
    lines = [
        "# Speed against PyTorch", "",
        "Written by `scripts/compare/speed.sh`: whole training steps, each program alternately in a process of its own;",
        "times as fast as PyTorch's faster float32 form, median over the pairs with the least and the greatest.", "",
        "| shape | times as fast | tokens/s | PyTorch | share of GEMM peak | peak RSS | PyTorch's |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, result in known.items():
        ours, theirs = result["ddp_train"], result["pytorch"][result["pytorch_form"]]
        lines.append(
            f"| {name} | {result['ratio']:.2f} ({min(result['ratios']):.2f} to {max(result['ratios']):.2f}, "
            f"{len(result['ratios'])} pairs) | {ours['tokens_per_second']:,.0f} | {theirs['tokens_per_second']:,.0f} "
            f"({result['pytorch_form']}) | {100 * ours['gemm_peak_share']:.0f} % of {ours['gemm_peak_gflops']:.0f} GFLOP/s "
            f"| {ours['peak_rss_bytes'] / 1e6:,.0f} MB | {theirs['peak_rss_bytes'] / 1e6:,.0f} MB |"
        )
    lines.append("")
    for name, result in known.items():
        m, v = result["machine"], result["versions"]
        lines.append(
            f"- {name}: {result['date']}, {m['processor']}, {result['threads']} threads on {m['cores']} cores, {m['isa']}, "
            f"{m['blas']}, {m['system']}; ddp-train {v['ddp_train']}, PyTorch {v['pytorch']} "
            f"({result['pytorch'][result['pytorch_form']]['optimizer']} AdamW), Python {v['python']}"
        )
    (folder / "speed.md").write_text("\n".join(lines) + "\n")
    return path


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def shape_names(text):
    names = text.split(",")
    for name in names:
        if name not in SHAPES:
            raise argparse.ArgumentTypeError(f"{name}: must be one of {', '.join(SHAPES)}")
    return names


def main():
    parser = argparse.ArgumentParser(prog="scripts/compare/speed.sh", description=__doc__, allow_abbrev=False)
    parser.add_argument("program", help="path of ddp-train")
    parser.add_argument("--shape", type=shape_names, default=list(SHAPES))
    parser.add_argument("--pairs", type=positive, default=5)
    parser.add_argument("--steps", type=positive, default=0)
    parser.add_argument("--threads", type=positive, default=cores())
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "scripts/results")
    arguments = parser.parse_args()
    if not compiler():
        print("there is no C++ compiler: PyTorch only runs eagerly", flush=True)
    for name in arguments.shape:
        comparison = Comparison(arguments, name)
        result = comparison.result(comparison.pairs(arguments.pairs))
        # After each shape, so that a run that is stopped has not been for nothing.
        path = write_results(arguments.output, {name: result})
        ours, theirs = result["ddp_train"], result["pytorch"][result["pytorch_form"]]
        print(
            f"{name}: {result['ratio']:.2f} times as fast as PyTorch {result['versions']['pytorch']} "
            f"({result['pytorch_form']}), median of {arguments.pairs}; peak RSS {ours['peak_rss_bytes'] / 1e6:,.0f} MB, "
            f"PyTorch {theirs['peak_rss_bytes'] / 1e6:,.0f} MB; written to {path}",
            flush=True,
        )


if __name__ == "__main__":
    main()
