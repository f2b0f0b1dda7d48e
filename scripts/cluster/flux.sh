#!/usr/bin/env bash
# A run of genesis as a job of Flux that saves before its time is over and submits itself again until the run is
# finished.
#
#     flux batch -N 2 -n 8 -t 2h scripts/cluster/flux.sh run.toml [genesis train options]
#
# Change for your site: -N (nodes), -n (slots, a rank each), -t (time), -q QUEUE, --bank BANK, modules.
#
# GENESIS    the program, built with --features mpi                     [genesis]
# TIME       time of the next job                                    [that of this one]
# MOST_JOBS  how many jobs there may be in all                          [50]
#
# Flux sends SIGUSR1 five minutes before the end; it sends none unless asked, and at once if less time is left.
#
#flux: --job-name=genesis
#flux: --signal=USR1@5m
#flux: --output=genesis-{{id}}.log
set -u

if [[ ${1:-} == -h || ${1:-} == --help ]]; then
  sed -n '2,/^#flux: --job/{/^# /s/^# //p}' "$0"
  exit 0
fi
config="${1:?usage: flux batch -N 2 -n 8 -t 2h flux.sh run.toml [options]}"
shift
genesis="${GENESIS:-genesis}"
number="${JOB_NUMBER:-1}"

# module load openmpi      # or the MPI that genesis was built with

nodes="$(flux resource list -s up -no '{nnodes}')"
ranks="${RANKS:-$(flux resource list -s up -no '{ncores}')}"
echo "$(date -u +%FT%TZ) job ${FLUX_ENCLOSING_ID:-?}, number $number: $ranks ranks on $nodes nodes"
flux run -N "$nodes" -n "$ranks" "$genesis" train "$config" --resume "$@" &
ranks_job=$!
trap 'echo "time is nearly over: the run is saved"; flux job kill -s USR1 "$(flux job last)"' USR1 TERM
wait "$ranks_job"
code=$?
while kill -0 "$ranks_job" 2>/dev/null; do
  wait "$ranks_job"
  code=$?
done

# 5: stopped and saved (docs/guides/exit-codes.md). The parent instance gets the next job.
if [[ $code -eq 5 ]]; then
  if ((number < ${MOST_JOBS:-50})); then
    export JOB_NUMBER="$((number + 1))"
    # As this job was asked for. Fields that a site does not have are empty.
    IFS='|' read -r queue bank seconds < <(flux --parent jobs -no '{queue}|{bank}|{duration}' "$FLUX_ENCLOSING_ID")
    exec flux --parent batch -N "$nodes" -n "$ranks" -t "${TIME:-${seconds:-7200}s}" \
      ${queue:+-q "$queue"} ${bank:+--bank "$bank"} "$0" "$config" "$@"
  fi
  echo "job $number is the last that MOST_JOBS allows: raise it and submit again"
fi
exit "$code"
