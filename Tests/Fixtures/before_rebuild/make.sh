#!/usr/bin/env bash
# Makes the files of this folder with a program of the commit before the rebuild (see README.md).
#
# A later program must not make them: they show that it still reads what that one wrote. Needs jq. The checkpoints' own bits
# depend on the machine that they were made on; what is expected of a resume is kept for each instruction set and BLAS.
set -euo pipefail
program="$(realpath "$1")"
cd "$(dirname "${BASH_SOURCE[0]}")"
rm -rf data run bias variant expected.json text.txt

# A few words by a linear congruential generator, so that there is something to learn in few characters.
awk 'BEGIN {
    n = split("the quick brown fox jumps over a lazy dog and sleeps", words, " ")
    for (line = 1; line <= 160; line++) {
        text = ""
        for (i = 0; i < 6; i++) { state = (1103515245 * state + 12345) % 2147483648; text = text words[1 + int(state / 65536) % n] " " }
        print text "."
    }
}' > text.txt
"$program" prepare --input text.txt --name chars --tokenizer char > /dev/null
"$program" prepare --input text.txt --name bytes --tokenizer byte > /dev/null
"$program" prepare --input text.txt --name shards --tokenizer byte --shard_size 2_000 > /dev/null

common=(
    --dataset=chars --n_layer=2 --n_head=2 --block_size=16 --batch_size=4 --gradient_accumulation_steps=2 --dropout=0.1
    --eval_interval=5 --eval_iters=2 --warmup_iters=2 --lr_decay_iters=40 --threads=2
)
train() { DDP_TRAIN_ISA=avx512 "$program" "${common[@]}" "$@" > /dev/null 2>&1; }
# Two checkpoints: with so high a learning rate the best is not the latest.
train --n_embd=16 --max_iters=15 --learning_rate=0.3 --out_dir=run
rm -rf run/report.html run/tensorboard
for name in bias variant; do
    options=(--bias=true --activation=gelu_tanh)
    [ "$name" = bias ] || options=(--position_embedding=rotary --norm=rmsnorm --tied_head=false)
    train --n_embd=4 --max_iters=10 --learning_rate=0.03 --out_dir=made "${options[@]}"
    mv "$(realpath made/checkpoints/latest)" "$name"
    rm -rf made
done

loss() { DDP_TRAIN_ISA=$isa "$program" eval "$@" --dataset=chars --json | jq -r .loss; }
blas="$("$program" doctor | grep -o 'OpenBLAS [A-Za-z]*' | head -1)"
{
    echo '{'
    first=true
    for isa in avx512 avx2 plain; do
        rm -rf again && cp -a run again
        hash="$(DDP_TRAIN_ISA=$isa "$program" --init_from=resume --out_dir=again --max_iters=25 | sed -n 's/^parameters \([0-9a-f]*\).*/\1/p')"
        $first || echo ','
        first=false
        printf '  "%s, %s": {"resumed": "%s", "losses": {"run": %s, "bias": %s, "variant": %s}}' "$isa" "$blas" "$hash" \
            "$(loss --out_dir=run --which=latest)" "$(loss --init_from=bias)" "$(loss --init_from=variant)"
        rm -rf again
    done
    printf '\n}\n'
} > expected.json
