//! The forms that walk the edges of a receiver: messages summed onto it, and its gradient carried
//! back along each of its edges.

use super::super::Paths;
use super::super::paths::degree_rows;
use super::edge::{
    Table, ends, output_rows, pairs, read, row_of_weights, sender, sizes, turned_back, written,
};
use super::parts::{by_input, by_output, input_degrees, path};
use crate::machine::emit::{
    Access, Array, Columns, Expr, Kernel, Kind, Statement, THREADS, add, constant, each, element,
    name, real, store, variable, whole,
};

/// `y[n, q m3, c] = sum over the edges of n of B[m1, m3] R h[m1]`, in parts that write different rows.
pub(crate) fn to_receivers(paths: &Paths, channels: usize) -> Vec<Kernel> {
    let table = Table { paths, channels };
    let parts = by_output(paths);
    parts.iter().enumerate().map(|(at, part)| receivers_part(table, at, part)).collect()
}

/// `d[e, m1, c] = sum over paths, m3 of R B[m1, m3] g[r(e), q m3, c]`, to be summed by sender. Parts
/// run one after the other: a later one adds to degrees that an earlier one wrote.
pub(crate) fn to_edges(paths: &Paths, channels: usize) -> Vec<Kernel> {
    let table = Table { paths, channels };
    let mut known = Vec::new();
    let mut kernels = Vec::new();
    for (at, part) in by_input(paths).iter().enumerate() {
        kernels.push(edges_part(table, at, part, &known));
        known.extend(input_degrees(paths, part));
    }
    kernels
}

fn receivers_part(table: Table<'_>, at: usize, part: &[usize]) -> Kernel {
    let rows = || part.iter().flat_map(|&q| output_rows(path(table.paths, q)));
    let mut body: Vec<Statement> =
        rows().map(|row| variable(Kind::Real, format!("s{row}"), real(0.0))).collect();
    let mut edge = vec![
        table.columns().column("sent", sender(), table.paths.num_inputs()),
        table.columns().column("weight", row_of_weights(), table.paths.len()),
    ];
    edge.extend(table.load_inputs(part));
    edge.extend(table.load_weights(part));
    edge.extend(table.load_harmonics(part));
    edge.extend(part.iter().flat_map(|&q| message(table.paths, q)));
    body.push(of_receiver(edge));
    body.push(table.columns().column("to", name("node"), table.paths.num_outputs()));
    body.extend(
        rows().map(|row| store("out", table.columns().row("to", row), name(format!("s{row}")))),
    );
    Kernel {
        name: "convolution_to_receivers",
        title: format!("messages summed onto receivers, part {at}; {}", sizes(table)),
        maths: vec![
            "y[n, q m3, c] = sum over the edges e of n, in order, and m1, m2 of".to_owned(),
            "                K[m1,m2,m3] Y[e, m2] R[w(e), q, c] h[s(e), m1, c]".to_owned(),
        ],
        arrays: vec![
            read("features", Kind::Real, "h [N, M_in, C]"),
            read("harmonics", Kind::Real, "Y [E, M_y]"),
            read("radial", Kind::Real, "R [P, Q, C]"),
            read("starts", Kind::Whole, "[N + 1] first edge of each receiver"),
            ends(),
            written("out", "y [N, M_out, C]"),
        ],
        launch: Columns::launch("node"),
        threads: THREADS,
        count: "N nodes",
        shared: None,
        body: table.columns().per_owner("node", body),
    }
}

/// A loop over the edges of `node`.
fn of_receiver(body: Vec<Statement>) -> Statement {
    let [first, end] = [name("node"), name("node") + whole(1)].map(|at| element("starts", at));
    each("edge", [first, end, whole(1)], body)
}

/// Adds one path of one edge to the sums of a receiver.
fn message(paths: &Paths, q: usize) -> Vec<Statement> {
    let path = path(paths, q);
    let pairs = pairs(path);
    let mut all = Vec::new();
    for m1 in 0..path.inputs().len() {
        let weighted = format!("t{q}_{m1}");
        let input = name(format!("h{}", path.inputs().start + m1));
        all.push(constant(Kind::Real, weighted.clone(), name(format!("r{q}")) * input));
        for (row, m3) in output_rows(path).zip(0..) {
            if let Some(pair) = pairs.get(&(m1, m3)) {
                all.push(add(format!("s{row}"), pair.clone() * name(weighted.clone())));
            }
        }
    }
    all
}

fn edges_part(table: Table<'_>, at: usize, part: &[usize], known: &[usize]) -> Kernel {
    let mut body =
        vec![table.columns().column("received", name("node"), table.paths.num_outputs())];
    body.extend(table.load_gradients(part));
    let mut edge = vec![
        table.columns().column("weight", row_of_weights(), table.paths.len()),
        table.columns().column("to", name("edge"), table.paths.num_inputs()),
    ];
    edge.extend(table.load_weights(part));
    edge.extend(table.load_harmonics(part));
    let degrees = input_degrees(table.paths, part);
    for &degree in &degrees {
        edge.extend(degree_rows(degree).map(|m| {
            let before = element("out", table.columns().row("to", m));
            let before = if known.contains(&degree) { before } else { real(0.0) };
            variable(Kind::Real, format!("d{m}"), before)
        }));
    }
    edge.extend(part.iter().flat_map(|&q| carried_back(table.paths, q)));
    let write = |m: usize, value: Expr| store("out", table.columns().row("to", m), value);
    let rows = degrees.into_iter().flat_map(degree_rows);
    edge.extend(rows.map(|m| write(m, name(format!("d{m}")))));
    if at == 0 {
        edge.extend(rows_without_path(table.paths).map(|m| write(m, real(0.0))));
    }
    body.push(of_receiver(edge));
    Kernel {
        name: "convolution_to_edges",
        title: format!("gradients carried back along edges, part {at}; {}", sizes(table)),
        maths: vec![
            "d[e, m1, c] = sum over q, m2, m3 of".to_owned(),
            "              K[m1,m2,m3] Y[e, m2] R[w(e), q, c] g[r(e), q m3, c]".to_owned(),
        ],
        arrays: vec![
            read("grad", Kind::Real, "g [N, M_out, C]"),
            read("harmonics", Kind::Real, "Y [E, M_y]"),
            read("radial", Kind::Real, "R [P, Q, C]"),
            read("starts", Kind::Whole, "[N + 1] first edge of each receiver"),
            ends(),
            Array {
                name: "out",
                kind: Kind::Real,
                access: Access::Update,
                about: "d [E, M_in, C]".to_owned(),
            },
        ],
        launch: Columns::launch("node"),
        threads: THREADS,
        count: "N nodes",
        shared: None,
        body: table.columns().per_owner("node", body),
    }
}

/// Adds one path to the gradients of an edge's inputs.
fn carried_back(paths: &Paths, q: usize) -> Vec<Statement> {
    let path = path(paths, q);
    let add = |(m1, turned): (usize, Expr)| {
        let weighted = name(format!("r{q}")) * turned;
        add(format!("d{}", path.inputs().start + m1), weighted)
    };
    turned_back(path).into_iter().map(add).collect()
}

/// Input rows that no path reads: their gradient is zero.
fn rows_without_path(paths: &Paths) -> impl Iterator<Item = usize> {
    let degrees = (0..=paths.max_degrees()[0])
        .filter(|&degree| paths.iter().all(|path| path.degrees[0] != degree));
    degrees.flat_map(degree_rows)
}
