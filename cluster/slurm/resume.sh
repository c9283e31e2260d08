# shellcheck shell=bash
# What the batch scripts here have in common. Source it from one that defines `step`, which runs a job step with the
# options that it is given.

# help_or_job SCRIPT OPTIONS…: --help alone prints the script's heading; anything else needs Slurm.
help_or_job() {
    if [[ $# -eq 2 && ("$2" = --help || "$2" = -h) ]]; then
        awk 'NR == 1 { next } !/^#/ || /^#SBATCH/ { exit } { sub(/^# ?/, ""); print }' "$1"
        exit 0
    fi
    [ -n "${SLURM_JOB_ID:-}" ] && return
    printf 'error: this is for sbatch; see: bash %s --help\n' "$1" >&2
    exit 64
}

# train_and_requeue OPTIONS…: trains, from the checkpoint that is there if there is one, and puts the job back into the
# queue where training ended because of a signal (75).
train_and_requeue() {
    local out_dir=out options=() started=() status named option value=no training signaled=yes
    # A copy of what --init_from names is for the first start alone.
    for option in "$@"; do
        if [ "$value" = yes ]; then
            value=no
            continue
        fi
        case "$option" in
            --from=*) ;;
            --from) value=yes ;;
            *) started+=("$option") ;;
        esac
    done
    options=("$@")
    # A settings file may name it; options that only training knows are none of config's, and then the line has to.
    named="$("${DDP_TRAIN:-ddp-train}" config ${started[@]+"${started[@]}"} 2> /dev/null | sed -n 's/^out_dir = "\([^"]*\)".*/\1/p')" || named=""
    [ -z "$named" ] || out_dir="$named"
    while [ $# -gt 0 ]; do
        case "$1" in
            --out_dir=* | --out-dir=*) out_dir="${1#*=}" ;;
            --out_dir | --out-dir) out_dir="${2:-}" ;;
        esac
        shift
    done
    if [ -e "$out_dir/checkpoints/latest" ]; then options=(${started[@]+"${started[@]}"} --init_from=resume); fi
    echo "job $SLURM_JOB_ID, start $((${SLURM_RESTART_COUNT:-0} + 1)): $SLURM_NTASKS ranks on $SLURM_JOB_NODELIST"
    # Slurm may signal this script alone (--signal=B:USR1@120, scancel --batch): the ranks have to know. A signal ends a wait.
    trap 'signaled=yes; scancel --signal=USR1 "$SLURM_JOB_ID"' USR1 TERM
    step "${options[@]}" &
    training=$!
    while [ "$signaled" = yes ]; do
        signaled=no status=0
        wait "$training" || status=$?
    done
    trap - USR1 TERM
    if [ "$status" -eq 75 ]; then
        # A job that was cancelled is completing, and stays so.
        if [ "$(squeue -h -j "$SLURM_JOB_ID" -o %T)" = RUNNING ]; then
            echo "stopped after saving: back into the queue"
            scontrol requeue "$SLURM_JOB_ID"
            sleep 60 # Slurm ends this script here
        fi
    fi
    exit "$status"
}
