//! The gradient of the harmonics: the form that sums over channels.
//!
//! A warp's worth of threads has an edge; each sums its channels, then the sums of all threads meet in
//! shared memory and are added in the order of the threads.

use super::super::Paths;
use super::edge::{
    Table, ends, output_rows, read, receiver, row_of_weights, sender, sizes, times, written,
};
use super::parts::path;
use crate::machine::emit::{
    Kernel, Kind, Statement, THREADS, add, barrier, constant, each, less, name, place, real,
    shared, store, variable, when, whole,
};

/// Threads that share an edge.
const LANES: usize = 32;

/// Edges of a group.
pub(crate) const EDGES: usize = THREADS as usize / LANES;

/// Harmonics summed between two barriers: those of degree 4 at once. In f64 their sums take 26 KB of
/// the 48 that a group of CUDA has without asking, in f32 13 of the 16 that WebGPU guarantees.
const MOST_AT_ONCE: usize = 25;

/// Shared numbers per harmonic: one more than threads, so that the sums of different harmonics lie in
/// different banks.
const STRIDE: usize = THREADS as usize + 1;

/// `dY[e, m2] = sum over c, q, m1, m3 of K[m1,m2,m3] R h[m1] g[q m3]`.
pub(crate) fn harmonics(paths: &Paths, channels: usize) -> Kernel {
    let table = Table { paths, channels };
    let columns: Vec<usize> = (0..paths.num_harmonics()).collect();
    let mut body = sums_of_thread(table);
    for columns in columns.chunks(MOST_AT_ONCE) {
        body.extend(sums_of_edges(paths, columns));
    }
    let numbers = STRIDE * paths.num_harmonics().min(MOST_AT_ONCE);
    Kernel {
        name: "convolution_harmonics",
        title: format!("gradients of the harmonics; {}", sizes(table)),
        maths: vec![
            "dY[e, m2] = sum over c, and q, m1, m3 of".to_owned(),
            "            K[m1,m2,m3] R[w(e), q, c] h[s(e), m1, c] g[r(e), q m3, c]".to_owned(),
        ],
        arrays: vec![
            read("grad", Kind::Real, "g [N, M_out, C]"),
            read("features", Kind::Real, "h [N, M_in, C]"),
            read("radial", Kind::Real, "R [P, Q, C]"),
            ends(),
            written("out", "dY [E, M_y]"),
        ],
        launch: format!(
            "{LANES} threads per edge, groups of {EDGES} edges; barriers order the tile"
        ),
        threads: THREADS,
        count: "E edges",
        shared: Some(u32::try_from(numbers).expect("a tile is small")),
        body,
    }
}

/// Every thread sums every 32nd channel of its edge.
fn sums_of_thread(table: Table<'_>) -> Vec<Statement> {
    let paths = table.paths;
    let all: Vec<usize> = (0..paths.len()).collect();
    let mut channel = vec![
        table.columns().column("sent", sender(), paths.num_inputs()),
        table.columns().column("received", receiver(), paths.num_outputs()),
        table.columns().column("weight", row_of_weights(), paths.len()),
    ];
    channel.extend(table.load_inputs(&all));
    channel.extend(table.load_weights(&all));
    channel.extend(table.load_gradients(&all));
    channel.extend(all.iter().flat_map(|&q| products(paths, q)));
    let range = [name("lane"), whole(table.channels), whole(LANES)];
    let slot = name("thread") / whole(LANES);
    let mut body = vec![
        constant(Kind::Whole, "lane", name("thread") % whole(LANES)),
        constant(Kind::Whole, "edge", name("group") * whole(EDGES) + slot),
    ];
    let zero = |m| variable(Kind::Real, format!("y{m}"), real(0.0));
    body.extend((0..paths.num_harmonics()).map(zero));
    body.push(when(less(name("edge"), name("count")), vec![each("channel", range, channel)]));
    body
}

/// Adds one path of one channel to the sums of all its harmonics.
fn products(paths: &Paths, q: usize) -> Vec<Statement> {
    let path = path(paths, q);
    let (d1, rows) = (path.inputs().len(), output_rows(path).collect::<Vec<_>>());
    let mut all = Vec::new();
    for m1 in 0..d1 {
        let weighted = format!("t{q}_{m1}");
        let input = name(format!("h{}", path.inputs().start + m1));
        all.push(constant(Kind::Real, weighted.clone(), name(format!("r{q}")) * input));
        for (m3, row) in rows.iter().enumerate() {
            let terms = path.terms.iter().filter(|term| {
                let [a, _, c] = term.components;
                [a, c] == [m1, m3]
            });
            let mut terms = terms.peekable();
            if terms.peek().is_none() {
                continue;
            }
            let product = format!("p{q}_{m1}_{m3}");
            let value = name(weighted.clone()) * name(format!("g{row}"));
            all.push(constant(Kind::Real, product.clone(), value));
            all.extend(terms.map(|term| {
                let column = path.harmonics().start + term.components[1];
                add(format!("y{column}"), times(term.value, name(product.clone())))
            }));
        }
    }
    all
}

/// Sums some harmonics of all edges of the group over their threads.
fn sums_of_edges(paths: &Paths, columns: &[usize]) -> Vec<Statement> {
    let (first, count) = (columns[0], columns.len());
    let mut body: Vec<Statement> = Vec::new();
    if first > 0 {
        body.push(barrier("the sums before were read"));
    }
    body.extend(columns.iter().map(|&m| {
        let at = name("thread") + whole((m - first) * STRIDE);
        store(crate::machine::emit::SHARED, at, name(format!("y{m}")))
    }));
    body.push(barrier("all sums were written"));
    let from = name("column") * whole(STRIDE) + name("slot") * whole(LANES) + name("partner");
    let to = place(name("its_edge")) * whole(paths.num_harmonics()) + name("column") + whole(first);
    let one = vec![
        variable(Kind::Real, "total", real(0.0)),
        each("partner", [whole(0), whole(LANES), whole(1)], vec![add("total", shared(from))]),
        store("out", to, name("total")),
    ];
    let sum = vec![
        constant(Kind::Whole, "column", name("sum") % whole(count)),
        constant(Kind::Whole, "slot", name("sum") / whole(count)),
        constant(Kind::Whole, "its_edge", name("group") * whole(EDGES) + name("slot")),
        when(less(name("its_edge"), name("count")), one),
    ];
    let range = [name("thread"), whole(EDGES * count), whole(THREADS as usize)];
    body.push(each("sum", range, sum));
    body
}
