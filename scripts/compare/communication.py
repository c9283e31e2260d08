"""Sums over ranks with gloo, Open MPI and ddp-train in turn; started by communication.sh."""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time


def gloo_rank(sizes, repeats):
    """What each rank of gloo runs: prints seconds of the slowest rank, size by size, as JSON."""
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    results = []
    for size in sizes:
        tensor = torch.ones(int(size * 250_000))
        seconds = []
        for repeat in range(repeats + 1):
            tensor.fill_(1)
            dist.barrier()
            start = time.perf_counter()
            dist.all_reduce(tensor)
            own = torch.tensor([time.perf_counter() - start], dtype=torch.float64)
            dist.all_reduce(own, op=dist.ReduceOp.MAX)
            assert float(tensor[0]) == dist.get_world_size()
            if repeat > 0:
                seconds.append(float(own))
        results.append(seconds)
    if dist.get_rank() == 0:
        print(json.dumps(results))
    dist.barrier()
    dist.destroy_process_group()


def run_gloo(options):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ranks = []
    for rank in range(options.ranks):
        environment = dict(
            os.environ, MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank),
            WORLD_SIZE=str(options.ranks), GLOO_SOCKET_IFNAME="lo" if sys.platform == "linux" else "lo0",
        )
        ranks.append(subprocess.Popen(
            [sys.executable, __file__, "--gloo-rank", "--sizes", options.sizes, "--repeats", str(options.repeats)],
            env=environment, stdout=subprocess.PIPE, text=True,
        ))
    outputs = [rank.communicate()[0] for rank in ranks]
    if any(rank.returncode for rank in ranks):
        sys.exit("error: a rank of gloo failed")
    return [(statistics.median(seconds), min(seconds)) for seconds in json.loads(outputs[0])]


def run_ours(command, environment, options):
    # The gradient of a small model: only the sizes are compared.
    arguments = ["bench-comm", "--preset=baby", f"--sizes={options.sizes}", f"--repeats={options.repeats}", "--json"]
    output = subprocess.run(
        command + arguments, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=dict(os.environ, **environment),
    ).stdout
    return {
        f'{way["backend"]} {way["allreduce"]}': [(size["median_ms"] / 1e3, size["min_ms"] / 1e3) for size in way["sizes"]]
        for way in json.loads(output)["ways"]
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", nargs="?")
    parser.add_argument("--gloo-rank", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--sizes", default="1,8,42,128", help="megabytes, with commas between")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=10)
    options = parser.parse_args()
    sizes = [float(size) for size in options.sizes.split(",")]
    if options.gloo_rank:
        return gloo_rank(sizes, options.repeats)

    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"} if os.getuid() == 0 else {}
    mpirun = ["mpirun", "-np", str(options.ranks), "--oversubscribe", "--bind-to", "none", "--mca", "btl", "tcp,self"]
    ours, gloo = "ddp-train's ring over TCP", "gloo"
    theirs, mine = "MPI_Allreduce over TCP", "ddp-train's ring over MPI over TCP"
    times = {name: [] for name in (ours, gloo, theirs, mine)}
    for run in range(options.runs):
        def launch():
            times[ours].append(run_ours([options.program, "launch", "-n", str(options.ranks)], {}, options)["tcp ring"])

        def mpi():
            ways = run_ours(mpirun + [options.program], root, options)
            times[theirs].append(ways["mpi native"])
            times[mine].append(ways["mpi ring"])

        def peer():
            times[gloo].append(run_gloo(options))

        # Each goes first as often as the others.
        turns = [launch, peer, mpi]
        for turn in turns[run % 3:] + turns[:run % 3]:
            turn()
        print(f"run {run + 1} of {options.runs} is done", file=sys.stderr, flush=True)

    share = 2 * (options.ranks - 1) / options.ranks
    print(f"{options.ranks} ranks on this machine, {options.runs} runs of {options.repeats} sums; bus GB/s, median of the runs' "
          f"medians (best sum of all), and how many times as fast ddp-train's ring over TCP is, median (range) of the runs")
    for index, size in enumerate(sizes):
        print(f"{size:g} MB")
        for name, runs in times.items():
            speeds = [share * size / 1e3 / run[index][0] for run in runs]
            best = max(share * size / 1e3 / run[index][1] for run in runs)
            ratios = [run[index][0] / own[index][0] for run, own in zip(runs, times[ours])]
            comparison = "" if name == ours else (
                f"   {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
            print(f"  {name:36s} {statistics.median(speeds):5.2f} ({best:5.2f}){comparison}", flush=True)


if __name__ == "__main__":
    main()
