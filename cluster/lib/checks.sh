# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables go from one of these files to the other
# What a case of the failure matrix demands, and the table of results. Source it after jobs.sh.

results=()
failures=0

# run_case NAME TRANSPORT WORLD FUNCTION: runs it in a subshell that ends at the first demand that is not met. The
# function prints what is worth a note in the table by `remark`.
run_case() {
    local title="$1" over="$2" size="$3" function="$4" begin result=passed note
    [[ "$title / $over" =~ $only ]] || return 0
    begin="$(now)"
    : > "$work/remark"
    set +e
    (
        set -e
        case_transport="$over" case_world="$size" held="" rank_secret="" rank_variables=() reference=""
        before_rank=() before_launcher=() launch_options=()
        "$function"
    ) 2> "$work/why"
    local status=$?
    set -e
    if [ "$status" -ne 0 ]; then
        result="FAILED: $(tail -n 1 "$work/why")"
        failures=$((failures + 1))
        keep_evidence "$title-$over-$size"
    fi
    note="$(paste -sd ';' "$work/remark" | sed 's/;/; /g')"
    results+=("| $title | $over | $size | $result | $(seconds_since "$begin") | $note |")
    printf '%-52s %-7s %s ranks  %5s s  %s%s\n' "$title" "$over" "$size" "$(seconds_since "$begin")" "$result" "${note:+ ($note)}"
}

remark() { echo "$*" >> "$work/remark"; }

keep_evidence() {
    [ -n "${evidence:-}" ] || return 0
    local folder
    folder="$evidence/$(tr -c 'A-Za-z0-9-\n' '_' <<< "$1")"
    mkdir -p "$folder"
    cp "$(cat "$work/job")"/*.log* "$folder" 2> /dev/null || true
    cp "$work/why" "$folder/why"
}

demand_failed() {
    printf '%s\n' "$*" >&2
    end_job
    exit 1
}

# Every rank has ended in this many seconds since a moment, and shortly after that nothing is left behind: mpirun gives
# its ranks a second between SIGTERM and SIGKILL, and is over another second later. A process held by SIGSTOP does not
# count: `held`.
gone_within() {
    local seconds="$1" since="$2"
    none_within "$seconds" "$since" job_ranks
    took="$(seconds_since "$since")"
    none_within $((seconds + 3)) "$since" job_processes
    if [ -n "${held:-}" ]; then
        kill -KILL "$held" 2> /dev/null || true
        held=""
    fi
    wait_until 5 exits_are_there || demand_failed "processes are gone, but not all were noted as ended"
    nothing_on_hosts || demand_failed "left behind on the hosts: $left"
}

# none_within SECONDS SINCE COMMAND: the processes that this prints, but the one that is held, are gone in time.
none_within() {
    local pids
    while true; do
        pids="$("$3" | { grep -vxF "${held:-none}" || true; })"
        [ -n "$pids" ] || return 0
        awk -v a="$2" -v b="$(now)" -v most="$1" 'BEGIN { exit !(b - a <= most) }' ||
            demand_failed "after $1 s still there: $(xargs ps -o pid=,stat=,args= -p <<< "$pids" | cut -c 1-100 | paste -sd ';' -)"
        sleep 0.02
    done
}

# rank_exits RANK CODE…: one of these.
rank_exits() {
    local rank="$1" code
    shift
    code="$(exit_code "rank-$rank")"
    [[ " $* " == *" $code "* ]] ||
        demand_failed "rank $rank ended with exit code $code, not $*: $(tail -n 1 "$job/rank-$rank.log")"
}

# survivors_exit CULPRIT CODE…: every other rank with one of these. Under mpirun its own exit code has to say failure.
survivors_exit() {
    local culprit="$1" rank code
    shift
    if [ "$transport" = tcp ]; then
        for ((rank = 0; rank < world; rank++)); do
            [ "$rank" = "$culprit" ] || rank_exits "$rank" "$@"
        done
    else
        code="$(exit_code job)"
        [ "$code" != 0 ] || demand_failed "$transport ended with exit code 0"
        remark "exit code $code"
    fi
}

# all_exit CODE: every rank, or what started them.
all_exit() {
    local rank code
    if [ "$transport" = tcp ]; then
        for ((rank = 0; rank < world; rank++)); do rank_exits "$rank" "$1"; done
    else
        code="$(exit_code job)"
        [ "$code" = "$1" ] || demand_failed "$transport ended with exit code $code, not $1: $(tail -n 1 "$job/job.log")"
    fi
}

# names CULPRIT-REGEX [RANK]: an error line of every rank but this one (by mpirun: of the job) names it.
names() {
    local pattern="$1" spared="${2:-none}" rank
    if [ "$transport" = tcp ]; then
        for ((rank = 0; rank < world; rank++)); do
            [ "$rank" = "$spared" ] || has_line "rank-$rank.log" "error: .*$pattern"
        done
    else
        has_line job.log "error: .*$pattern"
    fi
}

# has_line FILE REGEX
has_line() {
    grep -qE "$2" "$job/$1" || demand_failed "no line of $1 matches \"$2\"; its last: $(tail -n 1 "$job/$1")"
}

# progresses ITERATION: the job gets there.
progresses() {
    wait_until "$patience" reached_or_ended "$1" || true
    reached "$1" || demand_failed "did not reach iteration $1: $(output_of_rank_0 | { grep error: || true; } | tail -n 1)"
}
reached_or_ended() { reached "$1" || exits_are_there; }

# resumes [ARGS…]: the run of $job goes on to its end, over the same transport, and has an undisturbed run's parameters.
resumes() {
    local saved
    saved="$(saved_iteration)"
    if [ "$saved" -gt $((last - 10)) ]; then undisturbed_to $((saved + 10)); fi
    find "$job" -maxdepth 1 -name '*.log' -exec mv {} {}.before \;
    rm -f "$job"/*.exit "$job"/*.exit.pid
    port=$((port + 1))
    start "$transport" "$world" "${model[@]}" "${bounded[@]}" --init_from=resume "$@"
    finishes
}

# undisturbed_to ITERATION: from now on runs of this case end there, and are compared with one that nothing disturbed.
undisturbed_to() {
    local disturbed="$job" over="$transport" size="$world"
    last="$1"
    bounded=(--max_iters="$last" --lr_decay_iters=400)
    new_job "undisturbed-to-$last"
    start tcp "$size" "${model[@]}" "${bounded[@]}"
    wait_until "$patience" exits_are_there || demand_failed "an undisturbed run to iteration $last did not end"
    reference="$job/parameters"
    parameters_of > "$reference"
    job="$disturbed" transport="$over" world="$size"
}

# finishes: ends by itself with an undisturbed run's parameters.
finishes() {
    wait_until "$patience" exits_are_there || demand_failed "did not end in $patience s: $(output_of_rank_0 | tail -n 1)"
    all_exit 0
    same_parameters
}

same_parameters() {
    local expected got
    expected="$(cat "${reference:-$work/parameters-$world}")"
    got="$(parameters_of)"
    [ "$got" = "$expected" ] || demand_failed "parameters $got, not $expected as undisturbed"
}

# same_bits ITERATION: that checkpoint of the job is an undisturbed run's.
same_bits() {
    [ "$(bits "$job/out" "$1")" = "$(bits "$work/undisturbed-$world" "$1")" ] ||
        demand_failed "the checkpoint of iteration $1 differs from an undisturbed run's"
}

print_table() {
    echo
    echo "| case | transport | ranks | result | seconds | note |"
    echo "| --- | --- | --- | --- | --- | --- |"
    printf '%s\n' "${results[@]}"
    echo
    local count="${#results[@]}"
    printf '%d passed, %d failed\n' "$((count - failures))" "$failures"
}
