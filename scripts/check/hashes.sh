#!/usr/bin/env bash
# Compares what training computes with what it computed before, to the bit: runs short trainings and compares the parameter
# hashes that they print with those in scripts/results/hashes.tsv. Takes about three minutes for each instruction set.
#
#   scripts/check/hashes.sh [--no-install] [--record] [--only NAME] [--isa NAME]
#
#   --record   write hashes that have no record yet, which is an error without it; a hash that differs from its record stays one.
#              With a BLAS library that has no records at all a hash is only printed: nothing says what it should be
#   --only     one training, by the name in the first column of the records
#   --isa      one of avx512, avx2, neon and plain (default: each one that this processor has)
#
# Results depend on the instruction set, and in "plain" also on the BLAS library, so each has records of its own. They do not
# depend on the number of threads. A change of bits that is intended needs the old records removed in the same commit.
# Exits with code 1 if a hash differs from its record or has none.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"

read_arguments "$@"
record=no only="" only_isa=""
set -- ${arguments[@]+"${arguments[@]}"}
while [ $# -gt 0 ]; do
    case "$1" in
        --record) record=yes ;;
        --only)
            only="$2"
            shift
            ;;
        --isa)
            only_isa="$2"
            shift
            ;;
    esac
    shift
done
case "$only_isa" in "" | avx512 | avx2 | neon | plain) ;; *) wrong_use "there is no instruction set $only_isa" ;; esac
records=scripts/results/hashes.tsv
touch "$records"
require_swift
install_libraries "$install"
build_release
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# Text of characters, documents with an end-of-text token, and 16-bit tokens of GPT-2's vocabulary: the bytes of the text in pairs.
prepare_data() {
    "$ddp_train" prepare demo --characters 400000 --data_dir "$work" > /dev/null
    local text="$work/text.txt"
    awk 'BEGIN { for (i = 0; i < 4000; i++) printf "{\"text\": \"document %d has %d words and says %d\"}\n", i, i % 17, i * i }' \
        > "$work/documents.jsonl"
    "$ddp_train" tokenizer train --input "$work/documents.jsonl" --vocab_size 300 --out "$work/pairs" > /dev/null
    "$ddp_train" prepare --input "$work/documents.jsonl" --name documents --tokenizer "$work/pairs" --data_dir "$work" > /dev/null
    awk 'BEGIN { for (i = 0; i < 60000; i++) printf "%d and then %d; ", i % 1013, i * 7 % 991 }' > "$text"
    mkdir -p "$work/gpt2"
    head -c 400000 "$text" > "$work/gpt2/train.bin"
    head -c 40000 "$text" > "$work/gpt2/val.bin"
}

# name | the training's options
trainings() {
    cat << 'TRAININGS'
baby                | --preset=baby --max_iters=100
char                | --preset=char --max_iters=3
gpt2                | --preset=gpt2 --dataset=gpt2 --batch_size=1 --gradient_accumulation_steps=1 --max_iters=1
gpt2-bias           | --preset=gpt2 --dataset=gpt2 --n_layer=2 --bias=true --dropout=0.1 --batch_size=3 --gradient_accumulation_steps=2 --max_iters=2
documents           | --preset=baby --dataset=documents --document_mask=true --dropout=0.2 --max_iters=10
accumulation        | --preset=baby --gradient_accumulation_steps=3 --bias=true --max_iters=10
resume              | --preset=baby --max_iters=20
positions-none      | --preset=baby --max_iters=10 --position_embedding=none
positions-rotary    | --preset=baby --max_iters=10 --position_embedding=rotary --dropout=0.1
positions-alibi     | --preset=baby --max_iters=10 --position_embedding=alibi
norm-rms            | --preset=baby --max_iters=10 --norm=rmsnorm
norm-rms-bias       | --preset=baby --max_iters=10 --norm=rmsnorm --bias=true
norm-post           | --preset=baby --max_iters=10 --norm_position=post --dropout=0.1
norm-none           | --preset=baby --max_iters=10 --norm=none
mask-none           | --preset=baby --max_iters=10 --causal_mask=false
temperature         | --preset=baby --max_iters=10 --attention_temperature=10
window              | --preset=baby --max_iters=10 --attention_window=4
window-sinks        | --preset=baby --max_iters=10 --attention_window=4 --attention_sinks=2
attention-plain     | --preset=baby --max_iters=10 --attention=plain
heads-removed       | --preset=baby --max_iters=10 --ablate_heads=0.1,2.3
residual-none       | --preset=baby --max_iters=10 --residual=none --dropout=0.1
residual-none-norm  | --preset=baby --max_iters=10 --residual=none --norm=none
residual-attention  | --preset=baby --max_iters=10 --residual=attention
residual-mlp-post   | --preset=baby --max_iters=10 --residual=mlp --norm_position=post --bias=true
gelu-tanh           | --preset=baby --max_iters=10 --activation=gelu_tanh
relu                | --preset=baby --max_iters=10 --activation=relu
relu-squared        | --preset=baby --max_iters=10 --activation=relu_squared
silu                | --preset=baby --max_iters=10 --activation=silu
head-untied         | --preset=baby --max_iters=10 --tied_head=false
untied-large        | --preset=baby --dataset=gpt2 --max_iters=2 --tied_head=false --n_embd=64
decay-none          | --preset=baby --max_iters=10 --weight_decay=0
ranks-tcp           | launch -n 2 --preset=baby --max_iters=20
ranks-mpi           | mpirun --preset=baby --max_iters=20
TRAININGS
}

# train COMMAND…: the hash that it prints.
train() {
    local hash
    "$@" --data_dir="$work" --out_dir="$work/out" --overwrite=true --eval_interval=100000 --eval_iters=1 > "$work/log" 2>&1 ||
        { tail -n 5 "$work/log" >&2; fail "$* failed"; }
    hash="$(sed -n 's/^parameters \([0-9a-f]*\);.*/\1/p' "$work/log")"
    [ -n "$hash" ] || { tail -n 5 "$work/log" >&2; fail "$* printed no hash"; }
    echo "$hash"
}

hash_of() {
    local name="$1" options
    read -ra options <<< "$2"
    case " $2 " in *" --dataset="*) ;; *) options+=(--dataset=demo) ;; esac
    case "$name" in
        ranks-mpi)
            have mpirun || return 0
            OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
                train mpirun --oversubscribe -np 2 "$ddp_train" "${options[@]:1}"
            ;;
        resume)
            train "$ddp_train" "${options[@]}" --max_iters=8 > /dev/null
            # The folder is the run's own, so nothing is overwritten.
            "$ddp_train" "${options[@]}" --data_dir="$work" --out_dir="$work/out" --init_from=resume --eval_interval=100000 \
                --eval_iters=1 > "$work/log" 2>&1 || { tail -n 5 "$work/log" >&2; fail "the resume failed"; }
            grep -q '^parameters ' "$work/log" || fail "the resume printed no hash"
            sed -n 's/^parameters \([0-9a-f]*\);.*/\1/p' "$work/log"
            ;;
        *) train "$ddp_train" "${options[@]}" ;;
    esac
}

# The instruction set, and for plain loops the BLAS that computes the products with them.
key_of() {
    local blas
    [ "$1" = plain ] || [ "$1" = neon ] || { echo "$1"; return; }
    blas="$(DDP_TRAIN_ISA="$1" "$ddp_train" doctor 2> /dev/null | sed -n 's/^matrix products  *//p')"
    echo "$1 ${blas%%;*}"
}

note "preparing the data"
prepare_data
differing=0 unknown=0 elsewhere=0 equal=0
for isa in avx512 avx2 neon plain; do
    [ -z "$only_isa" ] || [ "$isa" = "$only_isa" ] || continue
    DDP_TRAIN_ISA="$isa" "$ddp_train" config > /dev/null 2>&1 || continue
    [ "$isa" != neon ] || [ "$(uname -m)" = aarch64 ] || [ "$(uname -m)" = arm64 ] || continue
    export DDP_TRAIN_ISA="$isa"
    key="$(key_of "$isa")"
    while IFS='|' read -r name options; do
        name="${name// /}"
        [ -z "$only" ] || [ "$name" = "$only" ] || continue
        hash="$(hash_of "$name" "$options")"
        [ -n "$hash" ] || { echo "$name, $key: not run, mpirun is not here"; continue; }
        expected="$(awk -F '\t' -v name="$name" -v key="$key" '$1 == name && $2 == key { print $3 }' "$records")"
        if [ -z "$expected" ]; then
            if awk -F '\t' -v key="$key" '$2 == key { found = 1 } END { exit !found }' "$records"; then
                unknown=$((unknown + 1))
            else
                elsewhere=$((elsewhere + 1))
            fi
            printf '%-20s %-24s %s (no record)\n' "$name" "$key" "$hash"
            [ "$record" = no ] || printf '%s\t%s\t%s\n' "$name" "$key" "$hash" >> "$records"
        elif [ "$expected" = "$hash" ]; then
            equal=$((equal + 1))
            printf '%-20s %-24s %s\n' "$name" "$key" "$hash"
        else
            differing=$((differing + 1))
            printf '%-20s %-24s %s DIFFERS from %s\n' "$name" "$key" "$hash" "$expected"
        fi
    done < <(trainings)
    unset DDP_TRAIN_ISA
done
echo "$equal equal, $differing differ, $unknown without a record, $elsewhere with a BLAS library that has no records"
[ "$((equal + differing + unknown + elsewhere))" -gt 0 ] || fail "nothing was compared: --only names no training, or no instruction set is here"
[ "$unknown" -eq 0 ] || [ "$record" = yes ] ||
    fail "$unknown hashes have no record in $records, so nothing tells whether they are right; --record writes them"
[ "$differing" -eq 0 ]
