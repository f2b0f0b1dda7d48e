//! Atoms sorted into boxes, and the boxes around an atom with their images.
//!
//! Along a periodic direction the boxes divide the cell; along another they divide the extent of
//! the structure. A box is at least as wide as the cut-off, so one box to each side is enough; a
//! cell narrower than the cut-off is one box, of which as many images are visited as it takes.

use genesis_schema::atoms::Vector;

use super::NeighborError;
use super::lattice::Lattice;
use crate::structures::geometry::{combine, subtract};

/// Widens boxes against rounding of fractional coordinates.
const MARGIN: f64 = 1.0 + 1e-9;
/// Boxes around one atom that are visited at most; a cut-off of 6 Å in a cube of 0.25 Å needs
/// about as many.
const MAX_IMAGES: f64 = 125_000.0;
/// Boxes are at most this many times the atoms, so that empty space costs nothing.
const MAX_BINS_PER_ATOM: f64 = 2.0;

#[derive(Debug)]
pub(super) struct Bins {
    /// `[atoms]` lattice vectors by which each atom was moved to lie in the cell.
    pub(super) wraps: Vec<[i32; 3]>,
    /// `[atoms]` box of each atom.
    places: Vec<[i32; 3]>,
    axes: [Axis; 3],
    /// `[boxes + 1]` first atom of each box in `atoms`.
    starts: Vec<u32>,
    /// Atoms by box; inside a box in their order.
    atoms: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Axis {
    periodic: bool,
    /// Boxes along it.
    count: i32,
    /// Boxes to visit to each side.
    reach: i32,
}

impl Bins {
    pub(super) fn new(
        lattice: &Lattice,
        positions: &[Vector],
        cutoff: f64,
    ) -> Result<Self, NeighborError> {
        let fractions: Vec<Vector> =
            positions.iter().map(|&r| combine(r, &lattice.inverse)).collect();
        let wraps = wraps(lattice, &fractions, positions)?;
        let (lowest, extent) = bounds(lattice, &fractions);
        let axes = axes(lattice, extent, positions.len(), cutoff)?;
        let place = |(fraction, wrap): (&Vector, &[i32; 3])| {
            let from = subtract(*fraction, lowest);
            [0, 1, 2].map(|k| axes[k].place((from[k] - f64::from(wrap[k])) / extent[k]))
        };
        let places: Vec<[i32; 3]> = fractions.iter().zip(&wraps).map(place).collect();
        let (starts, atoms) = sorted(&places, axes);
        Ok(Self { wraps, places, axes, starts, atoms })
    }

    /// Calls `visit(sender, image)` for every atom in the boxes around `receiver`, images included.
    #[inline]
    pub(super) fn around(&self, receiver: usize, mut visit: impl FnMut(u32, [i32; 3])) {
        let [x, y, z] = self.axes;
        let [bx, by, bz] = self.places[receiver];
        for (px, ix) in x.near(bx) {
            for (py, iy) in y.near(by) {
                for (pz, iz) in z.near(bz) {
                    let at = index([px, py, pz], self.axes);
                    let (first, last) = (self.starts[at] as usize, self.starts[at + 1] as usize);
                    for &sender in &self.atoms[first..last] {
                        visit(sender, [ix, iy, iz]);
                    }
                }
            }
        }
    }
}

impl Axis {
    /// The box at `fraction` of the way along; rounding may put the last point one too far.
    #[expect(clippy::cast_possible_truncation, reason = "a fraction times a count of boxes")]
    fn place(self, fraction: f64) -> i32 {
        ((fraction * f64::from(self.count)).floor() as i32).clamp(0, self.count - 1)
    }

    /// Boxes near `place`, each with the image of the cell that it belongs to.
    #[inline]
    fn near(self, place: i32) -> impl Iterator<Item = (i32, i32)> {
        let (first, last) = if self.periodic {
            (place - self.reach, place + self.reach)
        } else {
            ((place - self.reach).max(0), (place + self.reach).min(self.count - 1))
        };
        (first..=last).map(move |at| (at.rem_euclid(self.count), at.div_euclid(self.count)))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the bound was checked on the line before")]
fn wraps(
    lattice: &Lattice,
    fractions: &[Vector],
    positions: &[Vector],
) -> Result<Vec<[i32; 3]>, NeighborError> {
    let wrap = |(atom, fraction): (usize, &Vector)| {
        let cells = [0, 1, 2].map(|k| if lattice.periodic[k] { fraction[k].floor() } else { 0.0 });
        if !cells.iter().all(|count| count.abs() < f64::from(1 << 30)) {
            return Err(NeighborError::FarAway { atom, position: positions[atom] });
        }
        Ok(cells.map(|count| count as i32))
    };
    fractions.iter().enumerate().map(wrap).collect()
}

/// First fraction and length along each axis that the boxes cover.
fn bounds(lattice: &Lattice, fractions: &[Vector]) -> (Vector, Vector) {
    let (mut lowest, mut extent) = ([0.0; 3], [1.0; 3]);
    for k in (0..3).filter(|&k| !lattice.periodic[k]) {
        let values = || fractions.iter().map(|fraction| fraction[k]);
        lowest[k] = values().fold(f64::INFINITY, f64::min);
        // A flat structure still needs boxes of some width.
        extent[k] = (values().fold(f64::NEG_INFINITY, f64::max) - lowest[k]).max(1e-3);
    }
    if fractions.is_empty() { ([0.0; 3], [1.0; 3]) } else { (lowest, extent) }
}

fn axes(
    lattice: &Lattice,
    extent: Vector,
    atoms: usize,
    cutoff: f64,
) -> Result<[Axis; 3], NeighborError> {
    let width = cutoff * MARGIN;
    let lengths = [0, 1, 2].map(|k| lattice.heights[k] * extent[k]);
    let most = (MAX_BINS_PER_ATOM * atoms as f64).max(1.0);
    let mut counts = lengths.map(|length| (length / width).floor().clamp(1.0, most));
    while counts.iter().product::<f64>() > most {
        // Halving the finest axis at a time keeps boxes roughly cubic.
        let finest = (0..3).max_by(|&a, &b| counts[a].total_cmp(&counts[b])).unwrap_or(0);
        counts[finest] = (counts[finest] / 2.0).floor().max(1.0);
    }
    let reaches = [0, 1, 2].map(|k| (width * counts[k] / lengths[k]).ceil().max(1.0));
    let visited = |k: usize| if lattice.periodic[k] { 2.0 * reaches[k] + 1.0 } else { 1.0 };
    let images = visited(0) * visited(1) * visited(2);
    // Written so that a number that is none is refused too.
    let searchable = images <= MAX_IMAGES;
    if !searchable {
        let heights = lattice.heights;
        return Err(NeighborError::TooManyImages { cutoff, images, limit: MAX_IMAGES, heights });
    }
    Ok([0, 1, 2].map(|k| axis(lattice.periodic[k], counts[k], reaches[k])))
}

#[expect(clippy::cast_possible_truncation, reason = "bounded by MAX_IMAGES or the box count")]
fn axis(periodic: bool, count: f64, reach: f64) -> Axis {
    let count = count as i32;
    // Without images there is nothing beyond the last box.
    let reach = if periodic { reach as i32 } else { (reach as i32).min(count) };
    Axis { periodic, count, reach }
}

fn index(place: [i32; 3], axes: [Axis; 3]) -> usize {
    let [x, y, z] = place.map(i64::from);
    let at = (x * i64::from(axes[1].count) + y) * i64::from(axes[2].count) + z;
    usize::try_from(at).expect("places lie inside the boxes")
}

/// Counting sort of atoms by box.
fn sorted(places: &[[i32; 3]], axes: [Axis; 3]) -> (Vec<u32>, Vec<u32>) {
    let last = axes.map(|axis| axis.count - 1);
    let mut starts = vec![0u32; index(last, axes) + 2];
    for &place in places {
        starts[index(place, axes) + 1] += 1;
    }
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    let mut next = starts.clone();
    let mut atoms = vec![0u32; places.len()];
    for (atom, &place) in (0u32..).zip(places) {
        let slot = &mut next[index(place, axes)];
        atoms[*slot as usize] = atom;
        *slot += 1;
    }
    (starts, atoms)
}
