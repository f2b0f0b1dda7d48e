"""What two programs may differ by, and how a difference is said."""
import subprocess


class Differs(Exception):
    """The two programs do not agree, or one of them refuses."""


# Distance of 1 from the next number, f32.
ROUNDING = 2.0**-23


def require(holds, said):
    """Ends the case with `said` unless it holds."""
    if not holds:
        raise Differs(said)


def genesis(binary, *args):
    """What the program prints; its last words where it fails."""
    done = subprocess.run(
        [binary, *map(str, args)], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    said = done.stderr.decode(errors="replace")
    command = " ".join(map(str, args[:2]))
    require(done.returncode == 0, f"`genesis {command}` ends with {done.returncode}: {said.strip()[-500:]}")
    return done.stdout.decode()


def close(what, ours, plain, exact, rounding=ROUNDING):
    """Our f32 numbers and those of the other program's f32 against its f64: ours may be off by twice as much,
    and by one rounding of the largest number. What they are off by, in words."""
    ours, plain, exact = (it.double().flatten() for it in (ours, plain, exact))
    require(ours.shape == exact.shape, f"{what}: {len(ours)} numbers, but {len(exact)} of the other program")
    off, usual = (ours - exact).abs().max().item(), (plain - exact).abs().max().item()
    allowed = 2 * usual + rounding * exact.abs().max().item()
    # Written so that NaN differs too.
    require(off <= allowed, f"{what}: off by {off:.3g}, allowed {allowed:.3g} (the other program {usual:.3g})")
    return f"{what} {off:.1e} <= {allowed:.1e}"
