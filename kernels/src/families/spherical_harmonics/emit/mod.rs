//! The harmonics, their gradient and both along a direction as kernels of a GPU, made from the
//! coefficients of the recursion.
//!
//! A thread has an edge and keeps all its numbers in registers. Rows of harmonics go through shared
//! memory on their way, so that neighbouring threads read and write neighbouring numbers.
//!
//! Names in the kernels: `u<i>` unit vector, `y<m>` harmonic, `g<m>` its gradient, `d<i>` gradient of
//! the unit vector; with an `s` behind, the derivative along the direction.

mod recursion;
#[cfg(test)]
mod tests;
mod tile;

use self::recursion::{
    degrees, direction, moving_degrees, moving_direction, moving_pull_back, pull_back,
};
use self::tile::Tile;
use crate::machine::emit::{
    Access, Array, Kernel, Kind, Statement, constant, element, less, name, place, store, when,
    whole,
};

/// `Y`, [E, (L + 1)^2].
pub(crate) fn forward(max_degree: usize) -> Kernel {
    let tile = Tile::of(max_degree);
    let mut body = load(["v", "vectors"]);
    body.extend(direction());
    body.extend(degrees(max_degree));
    body.extend(tile.write_row("y", ""));
    let mut all = tile.edge();
    all.push(of_edge(body));
    all.extend(tile.store("out"));
    let maths = "Y_l[m] = sum over i, j of A_l[i,j,m] u[i] Y_(l-1)[j], u = v / |v|";
    let arrays = vec![read("vectors", "v [E, 3]"), written("out", "Y [E, (L + 1)^2]")];
    kernel("spherical_harmonics", "real spherical harmonics", max_degree, maths, arrays, all)
}

/// `dv`, [E, 3].
pub(crate) fn backward(max_degree: usize) -> Kernel {
    let tile = Tile::of(max_degree);
    let mut body = load(["v", "vectors"]);
    body.extend(tile.read_row("g"));
    body.extend(direction());
    body.extend(degrees(max_degree));
    body.extend(pull_back(max_degree));
    body.extend(store_vector("out"));
    let mut all = tile.edge();
    all.extend(tile.load("grad"));
    all.push(of_edge(body));
    let maths = "dv = d<g, Y>/dv: the recursion backwards";
    let arrays = vec![
        read("grad", "g [E, (L + 1)^2]"),
        read("vectors", "v [E, 3]"),
        written("out", "dv [E, 3]"),
    ];
    let title = "gradients through real spherical harmonics";
    kernel("spherical_harmonics_backward", title, max_degree, maths, arrays, all)
}

/// Along `w`: the change of `Y`, [E, (L + 1)^2], and of `dv`, [E, 3].
pub(crate) fn second(max_degree: usize) -> Kernel {
    let tile = Tile::of(max_degree);
    let mut body = load(["v", "vectors"]);
    body.extend(load(["w", "along"]));
    body.extend(tile.read_row("g"));
    body.extend(moving_direction());
    body.extend(moving_degrees(max_degree));
    body.extend(moving_pull_back(max_degree));
    body.extend(store_vector("bends"));
    body.extend(tile.write_row("y", "s"));
    let mut all = tile.edge();
    all.extend(tile.load("grad"));
    all.push(of_edge(body));
    all.extend(tile.store("slopes"));
    let maths = "derivatives of Y and of dv along w: both recursions on numbers with derivatives";
    let arrays = vec![
        read("along", "w [E, 3]"),
        read("grad", "g [E, (L + 1)^2]"),
        read("vectors", "v [E, 3]"),
        written("slopes", "[E, (L + 1)^2] derivative of Y"),
        written("bends", "[E, 3] derivative of dv"),
    ];
    let title = "changes of real spherical harmonics and of their gradients";
    kernel("spherical_harmonics_second", title, max_degree, maths, arrays, all)
}

fn kernel(
    name: &'static str,
    title: &str,
    max_degree: usize,
    maths: &str,
    arrays: Vec<Array>,
    body: Vec<Statement>,
) -> Kernel {
    let tile = Tile::of(max_degree);
    Kernel {
        name,
        title: format!("{title} of degrees 0 to {max_degree}"),
        maths: vec![maths.to_owned()],
        arrays,
        launch: format!(
            "groups of {} threads, one per edge; barriers order the tile",
            tile.threads()
        ),
        threads: tile.threads(),
        count: "E edges",
        shared: Some(tile.numbers()),
        body,
    }
}

fn read(name: &'static str, about: &str) -> Array {
    Array { name, kind: Kind::Real, access: Access::Read, about: about.to_owned() }
}

fn written(name: &'static str, about: &str) -> Array {
    Array { name, kind: Kind::Real, access: Access::Write, about: about.to_owned() }
}

/// What a thread does when it has an edge.
fn of_edge(body: Vec<Statement>) -> Statement {
    when(less(name("edge"), name("count")), body)
}

/// The three components of the edge's vector in `array`.
fn load([prefix, array]: [&str; 2]) -> Vec<Statement> {
    let at = |axis| place(name("edge")) * whole(3) + whole(axis);
    let component =
        |axis| constant(Kind::Real, format!("{prefix}{axis}"), element(array, at(axis)));
    (0..3).map(component).collect()
}

/// Stores the results `o<i>`.
fn store_vector(array: &str) -> Vec<Statement> {
    let at = |axis| place(name("edge")) * whole(3) + whole(axis);
    (0..3).map(|axis| store(array, at(axis), name(format!("o{axis}")))).collect()
}
