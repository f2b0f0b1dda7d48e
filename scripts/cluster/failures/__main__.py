"""What a run on four hosts does when one of them fails, on one machine.

    sudo python3 scripts/cluster/failures GENESIS [CASE...]
    sudo python3 scripts/cluster/failures GENESIS --forecast
    python3 scripts/cluster/failures GENESIS --kills 100

GENESIS was built with --features mpi. Needs root, Linux, Open MPI, `ip` and `unshare`. Hosts are network namespaces
on a bridge; ranks talk TCP; scripts/cluster/mpirun.sh goes on without the host that failed. Right is: one line that
begins with `error:` or comes from mpirun names the host within 60 s, and the run goes on from its last checkpoint on the others. --forecast compares `genesis plan --nodes` with
runs over throttled links; --kills kills one of two ranks, or both, so many times at any instant.
"""

import sys

import cases
import forecast
import kills

if __name__ == "__main__":
    words = sys.argv[1:]
    if not words or words[0] in ("-h", "--help"):
        print(__doc__)
        sys.exit(0 if words else 2)
    if "--kills" in words:
        at = words.index("--kills")
        sys.exit(kills.run(words[0], int(words[at + 1])))
    if "--forecast" in words:
        sys.exit(forecast.run(words[0]))
    sys.exit(cases.run(words[0], words[1:]))
