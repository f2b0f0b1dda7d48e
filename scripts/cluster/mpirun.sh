#!/usr/bin/env bash
# A run of genesis over Open MPI that goes on without hosts that are lost.
#
#     scripts/cluster/mpirun.sh HOSTFILE run.toml [genesis train options]
#
# HOSTFILE has a line a host: `n1 slots=4`, as mpirun reads it. Where a rank or host fails, the host that the message
# names, or that no longer answers, is taken from the list, and the run goes on from its last checkpoint on those
# that are left, on as many ranks as its batch can be shared by. It ends when the run is finished, when it was
# stopped and saved (exit code 5), when nothing says that a host is at fault, or after MOST_STARTS.
#
# GENESIS         the program, built with --features mpi, at one path on all hosts   [genesis]
# MPIRUN          Open MPI's mpirun                                                  [mpirun]
# MPIRUN_OPTIONS  more of its options, such as --mca btl_tcp_if_include eth0         []
# LAUNCH_AGENT    what runs a command on a host: AGENT HOST COMMAND                  [ssh -o BatchMode=yes -o ConnectTimeout=5]
# MOST_STARTS     how often the run is started in all                                [20]
# GRACE           seconds that mpirun has to end the ranks after an error            [8]
set -u

usage() {
  sed -n '2,/^set -u/{/^#/s/^# \{0,1\}//p}' "$0"
}
case "${1:-}" in
  -h | --help) usage && exit 0 ;;
esac
hostfile="${1:?usage: mpirun.sh HOSTFILE run.toml [options]; --help says more}"
config="${2:?usage: mpirun.sh HOSTFILE run.toml [options]; --help says more}"
shift 2
genesis="${GENESIS:-genesis}"
agent="${LAUNCH_AGENT:-ssh -o BatchMode=yes -o ConnectTimeout=5}"
read -r -a ask <<<"$agent"
read -r -a mpirun <<<"${MPIRUN:-mpirun} ${MPIRUN_OPTIONS:-}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

say() {
  echo "$(date -u +%FT%TZ) $*" >&2
}

# Hosts in the order of the file, and the slots of each: 1 where the line says nothing.
declare -a hosts=()
declare -A slots=()
while read -r host rest; do
  [[ -z $host || $host == \#* ]] && continue
  hosts+=("$host")
  slots[$host]=1
  [[ $rest =~ slots=([0-9]+) ]] && slots[$host]="${BASH_REMATCH[1]}"
done <"$hostfile"
((${#hosts[@]} > 0)) || { say "$hostfile: it names no host"; exit 2; }

# The host that the output blames: by us, by mpirun, or by its daemons.
blamed() {
  sed -nE \
    -e 's/^error: rank [0-9]+ (of [0-9]+ )?on ([^ :]+).*/\2/p' \
    -e 's/^error: ([^ :]+): .*/\1/p' \
    -e 's/.*mpirun noticed that process rank .* on node ([^ ]+) exited.*/\1/p' \
    -e 's/.*\] from ([^ ]+) to: [^ ]+ .*/\1/p' \
    -e 's/^\[([^]:]+):[0-9]+\] .* FATAL$/\1/p' \
    -e 's/.*Remote daemon: .* on node ([^ ]+).*/\1/p' \
    -e 's/^ *Remote host: *([^ ]+).*/\1/p' \
    "$work/said" | while read -r name; do
    for host in "${hosts[@]}"; do
      [[ $host == "$name" || ${host%%.*} == "${name%%.*}" ]] && echo "$host" && return
    done
  done | head -n 1
}

# Hosts that do not answer.
silent() {
  local host
  for host in "${hosts[@]}"; do
    [[ $host == "$(hostname)" || ${host%%.*} == "$(hostname -s)" ]] && continue
    timeout 10 "${ask[@]}" "$host" true </dev/null >/dev/null 2>&1 || echo "$host"
  done
}

without() {
  local host lost="$1" left=()
  for host in "${hosts[@]}"; do
    [[ $host == "$lost" ]] || left+=("$host")
  done
  hosts=("${left[@]}")
}

job=
stopped=
trap 'stopped=1; [[ -n $job ]] && kill -USR1 "$job" 2>/dev/null' USR1 TERM INT

# Waits for mpirun. One that does not end after an error, because a host does not answer it, is killed.
wait_for() {
  local since=
  while kill -0 "$job" 2>/dev/null; do
    if [[ -z $since ]] && grep -qE '^error: |mpirun noticed|lost communication' "$work/said"; then
      since=$SECONDS
    elif [[ -n $since ]] && ((SECONDS - since >= ${GRACE:-8})); then
      say "mpirun does not end: it is killed"
      kill -KILL -- "-$job" 2>/dev/null
    fi
    sleep 0.5
  done
  wait "$job"
}

fewer=0
before=
for ((start = 1; start <= ${MOST_STARTS:-20}; start++)); do
  ranks=0
  : >"$work/hosts"
  for host in "${hosts[@]}"; do
    echo "$host slots=${slots[$host]}" >>"$work/hosts"
    ranks=$((ranks + slots[$host]))
  done
  ranks=$((ranks - fewer))
  ((ranks > 0)) || { say "no rank is left"; exit 1; }
  say "start $start: $ranks ranks on ${hosts[*]}"
  : >"$work/said"
  # A group of its own, so that all of it can be ended.
  setsid "${mpirun[@]}" --mca plm_rsh_agent "$agent" --hostfile "$work/hosts" -np "$ranks" \
    "$genesis" train "$config" --resume "$@" </dev/null \
    2> >(tee -a "$work/said" >&2) > >(tee -a "$work/said") &
  job=$!
  [[ -n $stopped ]] && kill -USR1 "$job"
  wait_for
  code=$?
  job=
  # What tee still has to write.
  sleep 0.2
  [[ $code -eq 0 || $code -eq 5 || -n $stopped ]] && exit "$code"
  if grep -qE 'cannot be shared by [0-9]+ ranks|ranks cannot share' "$work/said"; then
    fewer=$((fewer + 1))
    continue
  fi
  # A loss that is no number, and a run file with mistakes, are no fault of a host; nor is what fails on the next too.
  [[ $code -eq 4 ]] && exit "$code"
  if [[ $code -eq 2 ]] && ! grep -q ' has another .* than rank 0' "$work/said"; then
    exit "$code"
  fi
  message="$(sed -nE 's/^error: (rank [0-9]+ on )?[^ :]+:? //p' "$work/said" | head -n 1)"
  if [[ -n $message && $message == "$before" ]]; then
    say "exit code $code: the same again"
    exit "$code"
  fi
  before="$message"
  lost="$(blamed)"
  # Open MPI says this in many lines and not what to do.
  if [[ -n $lost ]] && ! grep -q '^error: ' "$work/said" && grep -qE '\] from [^ ]+ to: |\] .* FATAL$' "$work/said"; then
    echo "error: $lost: Open MPI reaches no other host from it: the interface that it uses there does not connect them;" \
      "mend btl_tcp_if_include, or the network of $lost" >&2
  fi
  mapfile -t quiet < <(silent)
  for host in $lost "${quiet[@]}"; do
    [[ " ${hosts[*]} " == *" $host "* ]] || continue
    say "exit code $code: $host is left out"
    without "$host"
    fewer=0
  done
  if [[ -z $lost && ${#quiet[@]} -eq 0 && $code -lt 128 ]]; then
    say "exit code $code, and no host is at fault"
    exit "$code"
  fi
  ((${#hosts[@]} > 0)) || { say "no host is left"; exit "$code"; }
done
say "started ${MOST_STARTS:-20} times, which is all that MOST_STARTS allows"
exit "${code:-1}"
