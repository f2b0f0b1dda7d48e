#!/usr/bin/env bash
# A run of genesis as a job of PBS (OpenPBS, PBS Pro; with PALS on HPE Cray) that saves before its time is over and
# submits itself again until the run is finished.
#
#     qsub -A ACCOUNT -q QUEUE -l select=2:ncpus=64:mpiprocs=4 -l walltime=02:00:00 \
#         -v CONFIG=run.toml scripts/cluster/pbs.sh
#
# Change for your site: account, queue, select, walltime, filesystems (ALCF: -l filesystems=home:eagle), modules.
#
# CONFIG     the run file, from the folder of qsub                                           [run.toml]
# GENESIS    the program, built with --features mpi                                          [genesis]
# MPIEXEC    what starts the ranks; PALS: mpiexec -ppn 4 --cpu-bind depth -d 16              [mpiexec]
# MARGIN     seconds before the end of the job at which the run is saved                     [300]
# MOST_JOBS  how many jobs there may be in all                                               [50]
#
#PBS -N genesis
#PBS -j oe
#PBS -k doe
#PBS -r y
#PBS -l walltime=01:00:00
set -u

if [[ ${1:-} == -h || ${1:-} == --help ]]; then
  sed -n '2,/^#PBS -N/{/^# /s/^# //p}' "$0"
  exit 0
fi
cd "${PBS_O_WORKDIR:-.}" || exit 2
config="${CONFIG:-run.toml}"
genesis="${GENESIS:-genesis}"
read -r -a start <<<"${MPIEXEC:-mpiexec}"
number="${JOB_NUMBER:-1}"

# module load openmpi      # or the MPI that genesis was built with

# One rank for each line of the node file: that is what mpiprocs asked for.
ranks="$(wc -l <"${PBS_NODEFILE:?this is a job: submit it with qsub}")"

# What was asked for, as the scheduler knows it; it breaks long lines.
asked="$(qstat -f "$PBS_JOBID" | sed -e ':all' -e 'N;$!b all' -e 's/\n\t//g')"
of_job() {
  sed -n "s/^ *$1 = //p" <<<"$asked"
}
walltime="$(of_job 'Resource_List\.walltime')"

# Seconds that the job has; PBS does not warn.
IFS=: read -r hours minutes seconds <<<"${walltime:-01:00:00}"
given=$((10#$hours * 3600 + 10#$minutes * 60 + 10#$seconds - ${MARGIN:-300}))
((given > 60)) || { echo "walltime $walltime leaves nothing after a margin of ${MARGIN:-300} s"; exit 2; }

echo "$(date -u +%FT%TZ) job $PBS_JOBID, number $number, $ranks ranks on $(sort -u "$PBS_NODEFILE" | paste -sd' ')"
"${start[@]}" -n "$ranks" "$genesis" train "$config" --resume \
  --max-minutes "$((given / 60))" &
ranks_job=$!
trap 'echo "the job is to end: the run is saved"; kill -USR1 "$ranks_job" 2>/dev/null' TERM USR1
wait "$ranks_job"
code=$?
while kill -0 "$ranks_job" 2>/dev/null; do
  wait "$ranks_job"
  code=$?
done

# 5: stopped and saved (docs/guides/exit-codes.md).
if [[ $code -eq 5 ]]; then
  if ((number < ${MOST_JOBS:-50})); then
    # The next job is as this one: nothing is inherited from a job that submits.
    again=(-l "select=$(of_job 'Resource_List\.select')" -l "walltime=$walltime" -q "$(of_job queue)")
    account="$(of_job Account_Name)"
    [[ -n $account ]] && again+=(-A "$account")
    exec qsub "${again[@]}" -v "CONFIG=$config,GENESIS=$genesis,MPIEXEC=${MPIEXEC:-mpiexec},MARGIN=${MARGIN:-300},MOST_JOBS=${MOST_JOBS:-50},JOB_NUMBER=$((number + 1))" "$0"
  fi
  echo "job $number is the last that MOST_JOBS allows: raise it and submit again"
fi
exit "$code"
