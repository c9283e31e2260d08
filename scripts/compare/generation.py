"""Generates with Hugging Face's transformers and with ddp-train from the same weights; started by generation.sh."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel

SHAPES = {
    "gpt2": {},
    "gpt2-medium": {"n_layer": 24, "n_head": 16, "n_embd": 1024},
    "small": {"n_layer": 4, "n_head": 4, "n_embd": 128, "n_positions": 256, "vocab_size": 4096},
}


def make_weights(shape, folder):
    """A GPT-2 with random weights in transformers' own form, made once."""
    if not os.path.exists(os.path.join(folder, "model.safetensors")):
        torch.manual_seed(1)
        config = GPT2Config(bos_token_id=0, eos_token_id=0, **SHAPES[shape])
        model = GPT2LMHeadModel(config)
        with torch.no_grad():
            # Else every token would be most like itself, and the text one word.
            model.transformer.wpe.weight.mul_(10)
        model.save_pretrained(folder)
    return GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32).eval()


def run_ours(program, folder, threads, options, repeats):
    command = [
        program, "bench-generate", f"--init_from={folder}", f"--threads={threads}", f"--repeats={repeats}", "--json",
        f"--prompt_tokens={options.prompt_tokens}", f"--max_new_tokens={options.max_new_tokens}",
    ]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output)


def run_theirs(model, prompt, count):
    """Tokens a second of one call, and the tokens; never ends early."""
    ids = torch.tensor([prompt])
    start = time.perf_counter()
    with torch.inference_mode():
        output = model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, use_cache=True, max_new_tokens=count,
            eos_token_id=None, pad_token_id=0,
        )
    elapsed = time.perf_counter() - start
    new = output[0, len(prompt):].tolist()
    assert len(new) == count, f"transformers made {len(new)} tokens"
    return count / elapsed, new


def gap_where_they_part(model, prompt, ours, place):
    """The logits by which transformers tells its token from ours, at the first place where they differ."""
    with torch.inference_mode():
        logits = model(torch.tensor([prompt + ours[:place]])).logits[0, -1]
    return float(logits.max() - logits[ours[place]]), float(logits.abs().max())


def check_tokens(model, prompt, ours, theirs):
    """Prints how far the tokens agree; whether a difference is one of rounding."""
    places = [index for index, (a, b) in enumerate(zip(ours, theirs)) if a != b]
    if not places:
        print(f"  the same {len(theirs)} tokens, {len(set(theirs))} of them different")
        return True
    gap, largest = gap_where_they_part(model, prompt, ours, places[0])
    is_rounding = gap < 1e-4 * max(1.0, largest)
    reason = "rounding: a tie" if is_rounding else "NOT rounding"
    print(f"  the same tokens up to {places[0]}, where two logits differ by {gap:.2g} of {largest:.3g}: {reason}")
    return is_rounding


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("cache")
    parser.add_argument("--shape", choices=SHAPES, default="gpt2")
    parser.add_argument("--prompt_tokens", type=int, default=32)
    parser.add_argument("--max_new_tokens", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--threads", default="2,1", help="numbers of threads, one after the other")
    options = parser.parse_args()

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    # The number is that of the recipe: weights made by another one are not taken for these.
    folder = os.path.join(options.cache, f"random-{options.shape}-2")
    model = make_weights(options.shape, folder)
    print(f"PyTorch {torch.__version__}, transformers {transformers.__version__}, {options.shape}, float32, "
          f"{options.max_new_tokens} tokens after a prompt of {options.prompt_tokens}, greedy, with cache")
    agree = True
    for threads in map(int, options.threads.split(",")):
        torch.set_num_threads(threads)
        print(f"{threads} thread{'s' if threads > 1 else ''}")
        ours = run_ours(options.program, folder, threads, options, 1)
        _, ids = run_theirs(model, ours["prompt_ids"], options.max_new_tokens)
        agree = check_tokens(model, ours["prompt_ids"], ours["ids"], ids) and agree
        ratios, speeds = [], []
        for pair in range(options.pairs):
            def theirs():
                return run_theirs(model, ours["prompt_ids"], options.max_new_tokens)[0]

            def mine():
                return run_ours(options.program, folder, threads, options, 1)
            # Each goes first as often as the other; PyTorch's threads have gone to sleep meanwhile.
            if pair % 2 == 0:
                reference = theirs()
                time.sleep(0.3)
                result = mine()
            else:
                result = mine()
                reference = theirs()
                time.sleep(0.3)
            speed = result["tokens_per_second"]
            ratios.append(speed / reference)
            speeds.append((speed, reference))
            print(f"  transformers {reference:6.2f} tokens/s, ddp-train {speed:6.2f}: {ratios[-1]:.2f} times; "
                  f"prompt {result['prompt_tokens_per_second']:.0f} tokens/s, weights read at "
                  f"{result['read_bandwidth_share']:.0%} of {result['read_bytes_per_second'] / 1e9:.1f} GB/s", flush=True)
        best = [max(column) for column in zip(*speeds)]
        print(f"  median of {len(ratios)} pairs: {statistics.median(ratios):.2f} times "
              f"({min(ratios):.2f} to {max(ratios):.2f}); best against best {best[0] / best[1]:.2f}")
    if not agree:
        sys.exit("error: the tokens differ by more than rounding")


if __name__ == "__main__":
    main()
