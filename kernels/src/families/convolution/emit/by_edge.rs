//! The gradient of the radial weights: the form that walks the edges of a row of weights.

use super::super::Paths;
use super::edge::{Table, ends, read, receiver, sender, sizes, sum, turned_back, written};
use super::parts::{by_output, path};
use crate::machine::emit::{
    Columns, Kernel, Kind, Statement, THREADS, add, constant, each, element, name, real, store,
    variable, whole,
};

/// `dR[p, q, c] = sum over the edges of p, m1, m3 of h[m1] B[m1, m3] g[q m3]`, in parts that write
/// different paths.
pub(crate) fn radial(paths: &Paths, channels: usize) -> Vec<Kernel> {
    let table = Table { paths, channels };
    let parts = by_output(paths);
    parts.iter().enumerate().map(|(at, part)| radial_part(table, at, part)).collect()
}

fn radial_part(table: Table<'_>, at: usize, part: &[usize]) -> Kernel {
    let paths = table.paths;
    let mut body: Vec<Statement> =
        part.iter().map(|q| variable(Kind::Real, format!("s{q}"), real(0.0))).collect();
    let mut edge = vec![
        constant(Kind::Whole, "edge", element("items", name("item"))),
        table.columns().column("sent", sender(), paths.num_inputs()),
        table.columns().column("received", receiver(), paths.num_outputs()),
    ];
    edge.extend(table.load_inputs(part));
    edge.extend(table.load_harmonics(part));
    edge.extend(table.load_gradients(part));
    edge.extend(part.iter().filter_map(|&q| weight(paths, q)));
    let [first, end] = [name("row"), name("row") + whole(1)].map(|at| element("starts", at));
    body.push(each("item", [first, end, whole(1)], edge));
    body.push(table.columns().column("to", name("row"), paths.len()));
    body.extend(
        part.iter().map(|&q| store("out", table.columns().row("to", q), name(format!("s{q}")))),
    );
    Kernel {
        name: "convolution_radial",
        title: format!("gradients of the radial weights, part {at}; {}", sizes(table)),
        maths: vec![
            "dR[p, q, c] = sum over the edges e of p, in order, and m1, m2, m3 of".to_owned(),
            "              K[m1,m2,m3] Y[e, m2] h[s(e), m1, c] g[r(e), q m3, c]".to_owned(),
        ],
        arrays: vec![
            read("grad", Kind::Real, "g [N, M_out, C]"),
            read("features", Kind::Real, "h [N, M_in, C]"),
            read("harmonics", Kind::Real, "Y [E, M_y]"),
            read("starts", Kind::Whole, "[P + 1] first item of each row of weights"),
            read("items", Kind::Whole, "[E] edges by row of weights"),
            ends(),
            written("out", "dR [P, Q, C]"),
        ],
        launch: Columns::launch("row of weights"),
        threads: THREADS,
        count: "P rows of weights",
        shared: None,
        body: table.columns().per_owner("row", body),
    }
}

/// Adds one edge to the gradient of a weight.
fn weight(paths: &Paths, q: usize) -> Option<Statement> {
    let path = path(paths, q);
    let first = path.inputs().start;
    let products =
        turned_back(path).into_iter().map(|(m1, turned)| name(format!("h{}", first + m1)) * turned);
    sum(products).map(|sum| add(format!("s{q}"), sum))
}
