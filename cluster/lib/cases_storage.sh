# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables go from one of these files to the other
# The cases of the failure matrix about folders and checkpoints. Source it after cases.sh.

# Saving after every step, so that a kill finds rank 0 in the middle of a save sooner or later; ten times.
kill_while_saving() {
    local round since caught=0
    new_job saving
    for round in 1 2 3 4 5 6 7 8 9 10; do
        rm -f "$job"/*.exit "$job"/*.exit.pid "$job"/*.log
        port=$((port + 1))
        if [ "$round" = 1 ]; then
            start "$case_transport" "$case_world" "${model[@]}" "${endless[@]}" --eval_interval=1 --eval_iters=1 --timeout="$deadline"
        else
            start "$case_transport" "$case_world" "${model[@]}" "${endless[@]}" --eval_interval=1 --eval_iters=1 \
                --timeout="$deadline" --init_from=resume
        fi
        wait_until "$patience" saved || demand_failed "round $round: nothing was saved: $(output_of_rank_0 | tail -n 1)"
        sleep "0.0$((RANDOM % 10))"
        since="$(now)"
        kill -KILL "$(rank_process 0)"
        gone_within 2 "$since"
        [ -z "$(find "$job/out/checkpoints" -mindepth 1 -maxdepth 1 -name '.*')" ] || caught=$((caught + 1))
    done
    remark "10 kills, $caught in the middle of a save"
    resumes
}
saved() { output_of_rank_0 | grep -q "^saved "; }

# A disk that is full: a file system of its own, of 1 MB. Training says so and goes on; the last checkpoint that fitted is
# whole, and a run resumes from it when there is room again.
full_disk() {
    new_job full
    mkdir "$job/out"
    mount -t tmpfs -o size=1m tmpfs "$job/out"
    trap 'umount -l "$job/out" 2> /dev/null || true' EXIT
    start "$case_transport" "$case_world" "${model[@]}" "${endless[@]}" --timeout="$deadline" --keep_checkpoints=1000 --eval_interval=5
    goes_on_after "[Nn]o space left"
    local since
    since="$(now)"
    kill -KILL "$(rank_process 0)"
    gone_within 2 "$since"
    mount -o remount,size=100m "$job/out"
    resumes --keep_checkpoints=1000
}

# The folder cannot be written to any more, and later it can again: then the next save is made. A file that is open for
# writing keeps a file system from becoming read-only, so what rank 0 sees at that path does.
read_only_folder() {
    local pid before
    training read-only
    pid="$(rank_process 0)"
    trap 'umount -l "$job/out" 2> /dev/null || true' EXIT
    # shellcheck disable=SC2016 # for the inner shell
    nsenter -t "$pid" -m sh -c 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"' "$job/out"
    goes_on_after "([Rr]ead-only|not be written)"
    nsenter -t "$pid" -m umount -l "$job/out"
    before="$(saves)"
    wait_until "$patience" saves_again "$before" || demand_failed "nothing is saved when the folder can be written to again"
    kill -TERM "$pid"
    wait_until 10 exits_are_there || demand_failed "did not stop"
    all_stopped
    resumes
}
saves() { output_of_rank_0 | grep -c "^saved " || true; }
saves_again() { [ "$(saves)" -gt "$1" ]; }

# goes_on_after REGEX: rank 0 warns that a checkpoint was not saved, for this reason, and the job trains on.
goes_on_after() {
    local iteration
    wait_until "$patience" warned "$1" || demand_failed "no warning matches \"$1\": $(output_of_rank_0 | tail -n 1)"
    iteration="$(output_of_rank_0 | grep -oE "iteration [0-9]+ was not saved" | head -n 1 | tr -dc 0-9)"
    progresses $((iteration + 20))
    remark "iteration $iteration was not saved, and training went on"
}
warned() { output_of_rank_0 | grep -qE "was not saved: .*$1"; }

# A byte of the latest checkpoint is changed, or its end is missing.
damaged_checkpoint() {
    local how="$1" latest file
    new_job "damaged-$how"
    start "$case_transport" "$case_world" "${model[@]}" "${endless[@]}" --keep_checkpoints=2 --timeout="$deadline"
    progresses 120
    kill -TERM "$(rank_process 0)"
    wait_until 10 exits_are_there || demand_failed "did not stop"
    all_stopped
    latest="$(readlink -f "$job/out/checkpoints/latest")"
    file="$(find "$latest" -name '*.safetensors' -size +20k | sort | head -n 1)"
    if [ "$how" = altered ]; then
        printf '\125' | dd of="$file" bs=1 seek=$(($(stat -c %s "$file") / 2)) conv=notrunc status=none
    else
        truncate -s -100 "$file"
    fi
    resumes --keep_checkpoints=2
    output_of_rank_0 | grep -qE "$(basename "$latest").*(checksum|damaged|altered|truncated|short|does not match|bytes)" ||
        demand_failed "the damaged checkpoint is not mentioned"
    output_of_rank_0 | grep -E "$(basename "$latest")" | head -n 1 | cut -c 1-150 | remark_line
}
remark_line() { remark "$(sed "s#$work/##g")"; }
altered_checkpoint() { damaged_checkpoint altered; }
truncated_checkpoint() { damaged_checkpoint truncated; }
