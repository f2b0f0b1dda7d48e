//! The gradient of the coefficients: products of the factors, summed over a slice of the nodes of a
//! species.

use std::collections::BTreeSet;

use super::super::Terms;
use super::{Table, n, read};
use crate::machine::emit::{
    Access, Array, Columns, Kernel, Kind, Statement, THREADS, add, constant, each, element, name,
    real, store, variable, whole,
};

/// Terms of a kernel: their sums, the inputs with their direction and some products stay in registers,
/// also in f64.
const TERMS: usize = 32;

/// One term as the kernel sees it: its number, its output, its factors.
struct Monomial {
    term: usize,
    output: usize,
    factors: Vec<usize>,
}

/// `sum over the nodes of a slice of g * product of x`, or its derivative along `along`, `[slices, T, C]`
/// in parts that write different terms.
pub(crate) fn coefficients(terms: &Terms, channels: usize, moving: bool) -> Vec<Kernel> {
    let table = Table { terms, channels };
    sorted(terms).chunks(TERMS).map(|part| part_of(table, part, moving)).collect()
}

/// All terms, those that begin alike side by side.
fn sorted(terms: &Terms) -> Vec<Monomial> {
    let monomial = |(term, of): (usize, &super::super::Term)| {
        let factors = of.indices[..usize::from(of.order)].iter().map(|&i| usize::from(i));
        Monomial { term, output: usize::from(of.output), factors: factors.collect() }
    };
    let mut all: Vec<Monomial> = terms.list.iter().enumerate().map(monomial).collect();
    all.sort_by(|a, b| (a.output, &a.factors).cmp(&(b.output, &b.factors)));
    all
}

fn part_of(table: Table<'_>, part: &[Monomial], moving: bool) -> Kernel {
    let (terms, columns) = (table.terms, table.columns());
    let zero = |m: &Monomial| variable(Kind::Real, format!("t{}", m.term), real(0.0));
    let mut body: Vec<Statement> = part.iter().map(zero).collect();
    let inputs: BTreeSet<usize> = part.iter().flat_map(|m| m.factors.iter().copied()).collect();
    let outputs: BTreeSet<usize> = part.iter().map(|m| m.output).collect();
    let mut node = vec![
        constant(Kind::Whole, "node", element("items", name("item"))),
        columns.column("begin", name("node"), terms.num_inputs),
        columns.column("received", name("node"), terms.num_outputs),
    ];
    node.extend(table.load(["x", "x", "begin"], inputs.iter().copied()));
    if moving {
        node.extend(table.load(["v", "along", "begin"], inputs));
    }
    node.extend(table.load(["g", "grad", "received"], outputs));
    let mut known = BTreeSet::new();
    node.extend(part.iter().flat_map(|m| products(m, moving, &mut known)));
    let [first, end] = [name("slice"), name("slice") + whole(1)].map(|at| element("starts", at));
    body.push(each("item", [first, end, whole(1)], node));
    body.push(columns.column("to", name("slice"), terms.list.len()));
    body.extend(part.iter().map(|m| store("out", columns.row("to", m.term), n("t", m.term))));
    let mut arrays =
        vec![read("grad", Kind::Real, "g [N, O, C]"), read("x", Kind::Real, "[N, M, C]")];
    if moving {
        arrays.push(read("along", Kind::Real, "v [N, M, C]"));
    }
    arrays.push(read("starts", Kind::Whole, "[slices + 1] first item of each slice"));
    arrays.push(read("items", Kind::Whole, "[N] nodes by species"));
    let about = "dK of each slice [slices, T, C]".to_owned();
    arrays.push(Array { name: "out", kind: Kind::Real, access: Access::Write, about });
    Kernel {
        name: if moving { "contraction_coefficients_tangent" } else { "contraction_coefficients" },
        title: format!("{} terms from term {}; {}", part.len(), part[0].term, table.sizes()),
        maths: vec![
            "dK[slice, t, c] = sum over its nodes n, in order, of g[n, o, c] * product of x[n, i, c]"
                .to_owned(),
            "or, given `along`, its derivative along it".to_owned(),
        ],
        arrays,
        launch: Columns::launch("slice of nodes"),
        threads: THREADS,
        count: "slices",
        shared: None,
        body: columns.per_owner("slice", body),
    }
}

/// Adds one node to the sum of a term: products of the gradient with all factors but the last are
/// shared by the terms that begin alike.
fn products(m: &Monomial, moving: bool, known: &mut BTreeSet<String>) -> Vec<Statement> {
    let (last, begin) = m.factors.split_last().expect("checked: a term has 1 to 3 factors");
    let mut all = Vec::new();
    let mut of = format!("g{}", m.output);
    // The gradient is not differentiated: what it begins has a derivative once a factor is in it.
    let mut changes = false;
    for &factor in begin {
        let next = format!("{of}_{factor}");
        if known.insert(next.clone()) {
            all.push(constant(Kind::Real, next.clone(), name(of.clone()) * n("x", factor)));
            if moving {
                let change = change(&of, factor, changes);
                all.push(constant(Kind::Real, format!("{next}s"), change));
            }
        }
        (of, changes) = (next, true);
    }
    let sum = format!("t{}", m.term);
    all.push(if moving {
        add(sum, change(&of, *last, changes))
    } else {
        add(sum, name(of) * n("x", *last))
    });
    all
}

/// Derivative of the product of `of` with a factor.
fn change(of: &str, factor: usize, changes: bool) -> crate::machine::emit::Expr {
    let turned = name(of) * n("v", factor);
    if changes { name(format!("{of}s")) * n("x", factor) + turned } else { turned }
}
