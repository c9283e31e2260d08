"""Reads a run's events with TensorBoard's own reader and compares them with metrics.jsonl.

Started by event_files.sh, which makes the run, with its folder as the only argument.
"""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

STEP = {
    "train/loss": "loss",
    "train/learning_rate": "learning_rate",
    "train/gradient_norm": "gradient_norm",
    "train/tokens_per_second": "tokens_per_second",
    "train/mfu": "mfu",
}
EVALUATION = {
    "eval/train_loss": "train_loss",
    "eval/val_loss": "val_loss",
    "eval/val_bits_per_byte": "val_bits_per_byte",
    "eval/val_optimum": "val_optimum",
}


def main(out_dir):
    events = EventAccumulator(out_dir + "/tensorboard", size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    with open(out_dir + "/metrics.jsonl") as file:
        metrics = [json.loads(line) for line in file]
    tags = events.Tags()
    compared = 0
    for kind, names in (("step", STEP), ("evaluation", EVALUATION)):
        rows = [row for row in metrics if row["event"] == kind]
        for tag, key in names.items():
            wanted = [(row["iteration"], row[key]) for row in rows if key in row]
            if not wanted:
                assert tag not in tags["scalars"], f"{tag} is there, {key} is not"
                continue
            found = [(event.step, event.value) for event in events.Scalars(tag)]
            assert [step for step, _ in found] == [step for step, _ in wanted], (tag, found, wanted)
            for (step, value), (_, expected) in zip(found, wanted):
                assert abs(value - expected) <= 1e-6 * abs(expected), (tag, step, value, expected)
                compared += 1
    known = set(STEP) | set(EVALUATION)
    assert set(tags["scalars"]) <= known, tags["scalars"]
    texts = 0
    assert set(tags["tensors"]) == {"sample", "configuration"}, tags["tensors"]
    for event in events.Tensors("sample"):
        with open(f"{out_dir}/samples/step-{event.step:08d}.txt") as file:
            sample = "\n".join("    " + line for line in file.read().split("\n"))
        assert event.tensor_proto.string_val[0].decode() == sample, event.step
        texts += 1
    configuration = events.Tensors("configuration")[-1].tensor_proto.string_val[0].decode()
    assert "n_layer" in configuration, configuration
    print(f"TensorBoard reads {compared} scalars of {len(tags['scalars'])} tags, {texts} samples and the configuration")


main(sys.argv[1])
