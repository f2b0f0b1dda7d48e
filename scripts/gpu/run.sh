#!/usr/bin/env bash
# Proves and times Genesis on this machine, in steps of less than ten minutes; tests in pieces of less.
# What is done is not done again: call it until it says that everything is. The record comes last, whatever was done.
#
# usage: run.sh [--out DIR] [--device cuda:0] [--only STEP] [--seconds N] [--dry-run]
#   --out DIR     results, logs, what is done, and records/ [out, beside this script]
#   --device D    what is measured [cuda:0]
#   --only STEP   one step, done or not: facts ceilings bridge parity sanitizer kernels_model kernels_large
#                 train_plain train_ours train_torch mace record
#   --seconds N   begin no step after so many seconds [no limit]
#   --dry-run     everything on the processor with tiny sizes: proves the script, measures nothing
# PYTHON names the Python with torch [python3], GENESIS and KERNELS_TESTS the executables [those of bin/].
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
peers=$here/peers
[[ -d $peers ]] || peers=$here/../../benches/peers
PYTHON=${PYTHON:-python3}
GENESIS=${GENESIS:-$here/bin/genesis}
KERNELS_TESTS=${KERNELS_TESTS:-$here/bin/kernels-tests}

all_steps=(facts ceilings bridge parity sanitizer kernels_model kernels_large train_plain train_ours train_torch
  mace record)
out=$here/out
device=cuda:0
only=
seconds=0
dry=0
while (($#)); do
  case $1 in
    --out) out=$2 && shift ;;
    --device) device=$2 && shift ;;
    --only) only=$2 && shift ;;
    --seconds) seconds=$2 && shift ;;
    --dry-run) dry=1 ;;
    *)
      sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
      exit 2
      ;;
  esac
  shift
done
if ((dry)); then
  device=cpu
fi
torch_device=${device/cpu:0/cpu}
# What torch says of its own future is not about this machine.
export PYTHONWARNINGS=ignore
mkdir -p "$out/state" "$out/logs" "$out/records"
begin=$SECONDS

# NVRTC, cuBLASLt and NCCL come with torch as Python packages that the loader does not know.
wheel_libraries=$("$PYTHON" - <<'PYTHON_END'
import glob, sysconfig

found = glob.glob(sysconfig.get_paths()["purelib"] + "/nvidia/*/lib")
print(":".join(sorted(found)))
PYTHON_END
)
if [[ -n $wheel_libraries ]]; then
  export LD_LIBRARY_PATH=$wheel_libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fi
if compgen -G "$here/wheels/*.whl" >/dev/null && [[ ! -d $out/site ]]; then
  "$PYTHON" -m pip install -q --no-index --no-deps --target "$out/site" "$here"/wheels/*.whl
fi
if [[ -d $out/site ]]; then
  export PYTHONPATH=$out/site${PYTHONPATH:+:$PYTHONPATH}
fi

# Runs a command with a limit; its standard output goes to a file that exists only when it succeeded.
into() {
  local file=$1 limit=$2
  shift 2
  timeout --kill-after=10 "$limit" "$@" >"$file.part" || return
  mv "$file.part" "$file"
}

# Names of the tests that contain a pattern, one a line.
tests_named() {
  "$KERNELS_TESTS" --list --format terse | sed -n 's/: test$//p' | grep -E "$1" || true
}

# Runs tests by name, in pieces that are remembered one by one: a list file, then seconds for a piece.
run_tests() {
  local list=$1 limit=$2 name=$3
  if [[ ! -s $list ]]; then
    echo "no test is called like that: the kernels were built without cuda, or their tests renamed"
    return 1
  fi
  split -l 25 -d "$list" "$out/state/$name.piece."
  local piece
  for piece in "$out/state/$name.piece."*; do
    [[ $piece == *.done ]] && continue
    [[ -e $piece.done ]] && continue
    mapfile -t names <"$piece"
    REQUIRE_DEVICE=${REQUIRE_DEVICE-cuda} timeout --kill-after=10 "$limit" \
      "$KERNELS_TESTS" --exact --show-output "${names[@]}" >"$out/logs/$name.${piece##*.}.log" 2>&1 || {
      tail -n 60 "$out/logs/$name.${piece##*.}.log"
      return 1
    }
    touch "$piece.done"
  done
  grep -h "^test result" "$out/logs/$name".*.log
}

step_facts() {
  into "$out/doctor.json" 120 "$GENESIS" doctor --json
  "$GENESIS" doctor
  "$PYTHON" "$here/ceilings.py" --device "$torch_device" --facts >"$out/torch.json"
  if command -v nvidia-smi >/dev/null; then
    nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.sm,clocks.mem,power.limit --format=csv \
      >"$out/nvidia-smi.csv" || true
  fi
}

step_ceilings() {
  local tiny=()
  ((dry)) && tiny=(--tiny)
  into "$out/ceilings.json" 300 "$PYTHON" "$here/ceilings.py" --device "$torch_device" "${tiny[@]}"
  cat "$out/ceilings.json"
}

# Every comparison of the device with the CPU. In a dry run, without a device, they say that they are skipped.
parity='on_the_device|cuda::device_'

step_bridge() {
  tests_named 'cuda::bridge_tests' >"$out/state/bridge.list"
  REQUIRE_DEVICE=$( ((dry)) || echo cuda) run_tests "$out/state/bridge.list" 580 bridge
  grep -h "us a call" "$out"/logs/bridge.*.log || ((dry))
}

step_parity() {
  tests_named "$parity" >"$out/state/parity.list"
  REQUIRE_DEVICE=$( ((dry)) || echo cuda) run_tests "$out/state/parity.list" 280 parity
}

step_sanitizer() {
  local tool
  tool=$(command -v compute-sanitizer || ls /usr/local/cuda*/bin/compute-sanitizer 2>/dev/null | head -1 || true)
  if [[ -z $tool ]] || ((dry)); then
    echo "SKIPPED: no compute-sanitizer" | tee "$out/sanitizer.txt"
    return 0
  fi
  # A few tests of every family: each is some hundred times slower under the tool.
  tests_named "$parity" | awk -F:: '{ if (count[$1 FS $2]++ < 3) print }' >"$out/state/sanitizer.list"
  mapfile -t names <"$out/state/sanitizer.list"
  local check
  for check in memcheck racecheck; do
    timeout --kill-after=10 280 "$tool" --tool "$check" --error-exitcode 9 \
      "$KERNELS_TESTS" --exact --test-threads 1 "${names[@]}" >"$out/logs/$check.log" 2>&1 || {
      echo "$check failed or took too long (exit $?): $(tail -n 3 "$out/logs/$check.log")" |
        tee -a "$out/sanitizer.txt"
      return 1
    }
    echo "$check: $(grep -h 'ERROR SUMMARY\|RACECHECK SUMMARY' "$out/logs/$check.log" | tail -1)" |
      tee -a "$out/sanitizer.txt"
  done
}

# Ours first: the shapes of torch's are read from it.
kernels() {
  local set=$1
  if [[ ! -e $out/kernels_$set.json ]]; then
    timeout --kill-after=10 290 "$GENESIS" bench kernels --device "$device" --shapes "$set" \
      --json "$out/kernels_$set.part" --svg "$out/records/roofline_$set.svg" >"$out/logs/kernels_$set.log"
    mv "$out/kernels_$set.part" "$out/kernels_$set.json"
  fi
  into "$out/torch_kernels_$set.json" 290 "$PYTHON" "$here/torch_kernels.py" "$out/kernels_$set.json" \
    --device "$torch_device"
}

step_kernels_model() {
  if ((dry)); then kernels small; else kernels model; fi
}

step_kernels_large() {
  if ((dry)); then
    echo "left out of a dry run"
  else
    kernels large
  fi
}

# Sizes of GPT-2: batches, context, steps.
batches=(8 32)
context=1024
steps=10
if ((dry)); then
  batches=(1)
  context=16
  steps=1
fi

step_train_plain() {
  local batch
  for batch in "${batches[@]}"; do
    # The references keep whole matrices of scores: a batch that does not fit is said to be one.
    into "$out/plain_$batch.json" 280 "$GENESIS" bench step gpt2-124m --device "$device" --kernels reference \
      --batch "$batch" --context "$context" --steps "$steps" 2>"$out/logs/plain_$batch.log" ||
      echo "{\"skipped\": \"$(tail -n 1 "$out/logs/plain_$batch.log" | tr -d '"\\' | cut -c1-160)\"}" \
        >"$out/plain_$batch.json"
    cat "$out/plain_$batch.json"
  done
}

step_train_ours() {
  local batch
  for batch in "${batches[@]}"; do
    into "$out/ours_$batch.json" 280 "$GENESIS" bench step gpt2-124m --device "$device" --batch "$batch" \
      --context "$context" --steps "$steps"
    cat "$out/ours_$batch.json"
  done
}

step_train_torch() {
  local batch variant
  for batch in "${batches[@]}"; do
    for variant in eager compiled; do
      [[ -e $out/torch_${variant}_$batch.json ]] && continue
      local compile=() limit=100
      if [[ $variant == compiled ]]; then
        ((dry)) && continue
        compile=(--compile)
        limit=190
      fi
      into "$out/torch_${variant}_$batch.json" "$limit" "$PYTHON" "$peers/torch_transformer.py" --network gpt2 \
        --layers 12 --width 768 --heads 12 --context "$context" --batch "$batch" --vocab 50257 \
        --steps "$steps" --warmup 3 --dtype bf16 --device "$torch_device" "${compile[@]}"
      cat "$out/torch_${variant}_$batch.json"
    done
  done
}

step_mace() {
  local data=$here/data/structures.xyz
  data=${STRUCTURES:-$data}
  if [[ ! -f $data ]]; then
    echo "SKIPPED: no structures in the bundle" | tee "$out/mace.txt"
    return 0
  fi
  local networks=("32 mace-32x1" "128 mace-128x1") channels name kernels limit=60 peer_limit=170
  if ((dry)); then
    networks=("32 mace-32x1")
    peer_limit=280
  fi
  for network in "${networks[@]}"; do
    read -r channels name <<<"$network"
    for kernels in reference own; do
      [[ -e $out/mace_${kernels}_$channels.json ]] && continue
      into "$out/mace_${kernels}_$channels.json" "$limit" "$GENESIS" bench step "$name" --data "$data" \
        --device "$device" --kernels "$kernels" --steps "$steps" 2>"$out/logs/mace_${kernels}_$channels.log" ||
        echo "{\"skipped\": \"$(tail -n 1 "$out/logs/mace_${kernels}_$channels.log" | tr -d '"\\' | cut -c1-160)\"}" \
          >"$out/mace_${kernels}_$channels.json"
    done
    if "$PYTHON" -c 'import mace' 2>/dev/null; then
      [[ -e $out/mace_torch_$channels.json ]] ||
        into "$out/mace_torch_$channels.json" "$peer_limit" "$PYTHON" "$peers/torch_mace.py" "$data" --channels "$channels" \
        --degree 1 --batch 10 --steps "$steps" --device "$torch_device"
    else
      echo '{"skipped": "mace-torch is not installed"}' >"$out/mace_torch_$channels.json"
    fi
    cat "$out"/mace_*_"$channels".json
  done
}

step_record() {
  local dry_option=()
  ((dry)) && dry_option=(--dry-run)
  "$PYTHON" "$here/record.py" "$out" --commit "$(cat "$here/commit" 2>/dev/null || git -C "$here" rev-parse HEAD 2>/dev/null || echo unknown)" "${dry_option[@]}"
}

failed=()
for step in "${all_steps[@]}"; do
  if [[ -n $only && $step != "$only" ]]; then continue; fi
  if [[ -z $only && $step != record && -e $out/state/$step.done ]]; then
    echo "== $step: done before"
    continue
  fi
  if [[ -z $only ]] && ((seconds && SECONDS - begin > seconds)) && [[ $step != record ]]; then
    echo "== $step: left for the next call"
    failed+=("$step (not begun)")
    continue
  fi
  echo "== $step"
  started=$SECONDS
  # A shell of its own, so that the first failure inside ends the step and not the script.
  set +e
  (set -e; "step_$step")
  code=$?
  set -e
  if ((code == 0)); then
    touch "$out/state/$step.done"
    echo "== $step: $((SECONDS - started)) s"
  else
    failed+=("$step")
    echo "== $step: FAILED after $((SECONDS - started)) s (exit $code)"
  fi
done
if ((${#failed[@]})); then
  echo "not done: ${failed[*]}"
  exit 1
fi
echo "everything is done; records are in $out/records"
