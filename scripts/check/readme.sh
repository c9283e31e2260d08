#!/usr/bin/env bash
# Runs every command of README.md, in its order, as a reader would type it: what stands in its blocks of bash. Trainings and
# comparisons are shortened by options appended to the line, which is printed as it is run.
#
#   scripts/check/readme.sh [--no-install] [--list]
#
#   --no-install   install nothing; comparisons with PyTorch are passed over where it is missing
#   --list         print the commands and what is appended to each, and run nothing
#
# Runs, data and models go to a scratch folder. Only the quickstart leaves its run where it always does, in out-quickstart.
# `scripts/test.sh` is passed over: it takes minutes, and .ci/run has it as a step of its own.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"

install=yes
list=no
for argument in "$@"; do
    case "$argument" in
        -h | --help)
            print_help "scripts/check/readme.sh"
            exit 0
            ;;
        --no-install) install=no ;;
        --list) list=yes ;;
        *) wrong_use "unknown option $argument" ;;
    esac
done

# The lines of all blocks of bash, without remarks and empty lines.
commands() { awk '/^```/ { inside = $0 == "```bash"; next } inside' README.md | sed -E 's/[[:space:]]+#.*$//' | grep -v '^[[:space:]]*$'; }

short="--max_iters=60 --lr_decay_iters=60 --eval_interval=30 --eval_iters=4"

# Whether the comparisons can run: their scripts install PyTorch where they may.
compares() { [ "$install" = yes ] || python3 -c 'import torch, numpy, safetensors' 2> /dev/null; }

shortened_comparison() {
    case "$1" in
        *pytorch.sh*) echo "$1 --shape baby --iterations 10" ;;
        *) echo "$1 --shape baby --pairs 1 --steps 20 --output ." ;;
    esac
}

# shortened LINE: the line as it is run; nothing for one that is passed over.
shortened() {
    case "$1" in
        scripts/test.sh*) ;;
        scripts/compare_*) ! compares || shortened_comparison "$1" ;;
        scripts/quickstart.sh*) echo "$1 -- $short" ;;
        *--max_iters=*) sed -E 's/--max_iters=[0-9]+/--max_iters=90/' <<< "$1" ;;
        ddp-train\ experiment*) echo "$1 --max_iters=40 --seeds=2" ;;
        ddp-train | ddp-train\ --* | ddp-train\ launch* | mpirun*) echo "$1 $short" ;;
        *) echo "$1" ;;
    esac
}

if [ "$list" = yes ]; then
    while IFS= read -r line; do
        run="$(shortened "$line")"
        echo "${run:-passed over: $line}"
    done < <(commands)
    exit 0
fi

require_swift
install_libraries "$install"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mkdir "$work/reader"
ln -s "$root/.build" "$root/scripts" "$work/reader/"
# A reader's own text.
cat Sources/ddp-train/Guides.docc/*.md > "$work/reader/book.txt"

# Aliases count from the line after them on, and the lines of a file are read one by one: hence a file, and no loop of `eval`.
{
    echo 'shopt -s expand_aliases'
    # The build is of this clone, wherever the reader stands.
    # shellcheck disable=SC2016 # for the file
    echo 'swift() { (cd "$root" && command swift "$@"); }'
    while IFS= read -r line; do
        run="$(shortened "$line")"
        if [ -z "$run" ]; then
            printf 'echo %q\n' "passed over: $line"
            continue
        fi
        printf 'began %q\n%s || failed %q $?\nended\n' "$run" "$run" "$line"
    done < <(commands)
} > "$work/commands"

export root
cat > "$work/before" << 'BEFORE'
began() {
    start="$SECONDS"
    printf '\n$ %s\n' "$1"
}
ended() { printf '(%d s)\n' "$((SECONDS - start))"; }
failed() {
    printf 'error: a command of README.md failed with code %d: %s\n' "$2" "$1" >&2
    exit 1
}
BEFORE
cd "$work/reader"
# Open MPI refuses root, and more ranks than cores, unless it is told otherwise.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
BASH_ENV="$work/before" bash "$work/commands"
printf '\nevery command of README.md ran\n'
