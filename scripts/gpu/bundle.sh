#!/usr/bin/env bash
# Makes a folder and an archive that prove and time Genesis on a GPU machine with Python and torch, and
# with neither Rust nor a network: the stripped program, the stripped tests of the kernels, the programs
# of the peers and the scripts that run them. There: tar xf genesis-gpu.tar.gz && genesis-gpu/run.sh
#
# usage: bundle.sh [--out DIR] [--data FILE] [--wheels DIR] [--profile PROFILE]
#   --out DIR       where the folder genesis-gpu and its archive go [target/gpu]
#   --data FILE     structures of H, C and O with energies and forces, for MACE; 200 of them travel
#                   [$GENESIS_SHARED/data/atomistic/acac/train_300K.xyz when it is there]
#   --wheels DIR    wheels of mace-torch and what it needs, for its rows
#   --profile NAME  profile of the build [release]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

limit_mib=60
out=target/gpu
data=${GENESIS_SHARED:-}/data/atomistic/acac/train_300K.xyz
wheels=
profile=release
while (($#)); do
  case $1 in
    --out) out=$2 ;;
    --data) data=$2 ;;
    --wheels) wheels=$2 ;;
    --profile) profile=$2 ;;
    *)
      sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
      exit 2
      ;;
  esac
  shift 2 || { echo "bundle.sh: $1 needs a value" >&2; exit 2; }
done

# Prints the executable of a target that cargo just built: its messages are one JSON object a line.
executable() {
  python3 -c '
import json, sys
name, test = sys.argv[1], sys.argv[2] == "test"
found = None
for line in sys.stdin:
    message = json.loads(line)
    if message.get("reason") == "compiler-artifact" and message.get("executable"):
        if message["target"]["name"] == name and message["profile"]["test"] == test:
            found = message["executable"]
sys.exit(f"no executable of {name}") if found is None else print(found)
' "$@"
}

folder=$out/genesis-gpu
rm -rf "$folder"
mkdir -p "$folder/bin" "$folder/peers" "$folder/data"

features=(--features cuda --profile "$profile" --message-format json-render-diagnostics)
program=$(cargo build -p genesis "${features[@]}" | executable genesis binary)
tests=$(cargo test --no-run --lib -p genesis-kernels "${features[@]}" | executable genesis_kernels test)
strip -o "$folder/bin/genesis" "$program"
strip -o "$folder/bin/kernels-tests" "$tests"
cp benches/peers/*.py "$folder/peers/"
cp scripts/gpu/run.sh scripts/gpu/*.py "$folder/"
git log -1 --format='%H %cI' >"$folder/commit" 2>/dev/null || echo unknown >"$folder/commit"
rustc --version >"$folder/toolchain"
if [[ -f $data ]]; then
  # The peers read the first 200 structures.
  python3 - "$data" "$folder/data/structures.xyz" <<'PYTHON'
import sys

with open(sys.argv[1]) as source, open(sys.argv[2], "w") as few:
    for _ in range(200):
        count = source.readline()
        if not count.strip():
            break
        few.write(count)
        few.writelines(source.readline() for _ in range(int(count) + 1))
PYTHON
else
  echo "bundle.sh: no structures, so MACE will not be timed (--data FILE)" >&2
fi
if [[ -n $wheels ]]; then
  mkdir "$folder/wheels"
  cp "$wheels"/*.whl "$folder/wheels/"
fi

tar -C "$out" -czf "$out/genesis-gpu.tar.gz" genesis-gpu
mib=$((($(stat -c %s "$out/genesis-gpu.tar.gz") + 1048575) / 1048576))
if ((mib > limit_mib)); then
  echo "bundle.sh: $out/genesis-gpu.tar.gz has $mib MiB, more than $limit_mib" >&2
  exit 1
fi
echo "$out/genesis-gpu.tar.gz: $mib MiB"
