//! What is made for every node: its outputs, and the gradient of its inputs.

use std::ops::Range;

use super::super::Terms;
use super::super::tree::{Branch, Output, Tree};
use super::{Table, n, read, s};
use crate::machine::emit::{
    Access, Array, Columns, Expr, Kernel, Kind, Statement, THREADS, add, constant, element, name,
    real, store, variable,
};

/// Terms of a kernel at most, unless a single output has more: its text stays near a thousand lines,
/// which NVRTC compiles in a second.
const MOST_TERMS: usize = 400;

/// `P(x, K)`, or its derivative along `along`, in parts that write different outputs. None when there
/// is no term: all is zero.
pub(crate) fn outputs(terms: &Terms, channels: usize, moving: bool) -> Vec<Kernel> {
    let table = Table { terms, channels };
    let parts = parts(&terms.tree);
    parts.into_iter().map(|part| outputs_part(table, part, moving)).collect()
}

/// `dx`, or its derivative. Parts run one after the other: later ones add to what the first wrote.
pub(crate) fn inputs(terms: &Terms, channels: usize, moving: bool) -> Vec<Kernel> {
    let table = Table { terms, channels };
    let parts = parts(&terms.tree);
    parts.into_iter().map(|part| inputs_part(table, part, moving)).collect()
}

/// Ranges of outputs that have terms.
fn parts(tree: &Tree) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut count = 0;
    for (at, output) in tree.outputs.iter().enumerate() {
        let more: usize =
            tree.leads[output.leads.clone()].iter().map(|lead| tree.num_terms(lead)).sum();
        match parts.last_mut() {
            Some(part) if count + more <= MOST_TERMS => {
                part.end = at + 1;
                count += more;
            }
            _ => {
                parts.push(at..at + 1);
                count = more;
            }
        }
    }
    parts
}

fn outputs_part(table: Table<'_>, part: Range<usize>, moving: bool) -> Kernel {
    let tree = &table.terms.tree;
    let some = &tree.outputs[part.clone()];
    let mut body = begin(table, moving);
    let writer = Writer { table, moving, gradients: false };
    body.extend(some.iter().flat_map(|output| writer.output(output)));
    body.push(table.columns().column("to", name("node"), table.terms.num_outputs));
    let write = |o: usize, value: Expr| store("out", table.columns().row("to", o), value);
    body.extend(some.iter().map(|output| write(output.output, n("p", output.output))));
    if part.start == 0 {
        let known = |o: &usize| tree.outputs.iter().any(|output| output.output == *o);
        let without = (0..table.terms.num_outputs).filter(|o| !known(o));
        body.extend(without.map(|o| write(o, real(0.0))));
    }
    let maths = "P[n, o, c] = sum over terms t of o of K[z(n), t, c] * product of x[n, i, c]";
    let mut arrays = vec![read("x", Kind::Real, "[N, M, C]")];
    arrays.extend(along(moving));
    arrays.push(read("coefficients", Kind::Real, "K [S, T, C]"));
    arrays.push(read("species", Kind::Whole, "z [N]"));
    arrays.push(result(Access::Write, "P [N, O, C]"));
    let name = if moving { "contraction_tangent" } else { "contraction" };
    kernel(table, name, &part, maths, arrays, body)
}

fn inputs_part(table: Table<'_>, part: Range<usize>, moving: bool) -> Kernel {
    let some = &table.terms.tree.outputs[part.clone()];
    let rows = 0..table.terms.num_inputs;
    let mut body = begin(table, moving);
    body.push(table.columns().column("received", name("node"), table.terms.num_outputs));
    body.extend(table.load(["g", "grad", "received"], some.iter().map(|output| output.output)));
    // `begin` is where the node's inputs begin, and so where their gradient does.
    let before = |i| {
        let written = element("out", table.columns().row("begin", i));
        if part.start == 0 { real(0.0) } else { written }
    };
    body.extend(rows.clone().map(|i| variable(Kind::Real, format!("d{i}"), before(i))));
    let writer = Writer { table, moving, gradients: true };
    body.extend(some.iter().flat_map(|output| writer.output(output)));
    body.extend(rows.map(|i| store("out", table.columns().row("begin", i), n("d", i))));
    let maths = "dx = d<g, P(x, K)>/dx";
    let mut arrays =
        vec![read("grad", Kind::Real, "g [N, O, C]"), read("x", Kind::Real, "[N, M, C]")];
    arrays.extend(along(moving));
    arrays.push(read("coefficients", Kind::Real, "K [S, T, C]"));
    arrays.push(read("species", Kind::Whole, "z [N]"));
    arrays.push(result(Access::Update, "dx [N, M, C]"));
    let name = if moving { "contraction_input_tangent" } else { "contraction_input" };
    kernel(table, name, &part, maths, arrays, body)
}

fn kernel(
    table: Table<'_>,
    name: &'static str,
    part: &Range<usize>,
    maths: &str,
    arrays: Vec<Array>,
    body: Vec<Statement>,
) -> Kernel {
    Kernel {
        name,
        title: format!("outputs {part:?} with terms; {}", table.sizes()),
        maths: vec![maths.to_owned(), "or, given `along`, its derivative along it".to_owned()],
        arrays,
        launch: Columns::launch("node"),
        threads: THREADS,
        count: "N nodes",
        shared: None,
        body: table.columns().per_owner("node", body),
    }
}

fn along(moving: bool) -> Option<Array> {
    moving.then(|| read("along", Kind::Real, "v [N, M, C]"))
}

fn result(access: Access, about: &str) -> Array {
    Array { name: "out", kind: Kind::Real, access, about: about.to_owned() }
}

/// Loads the node's inputs, and where its coefficients begin.
fn begin(table: Table<'_>, moving: bool) -> Vec<Statement> {
    let (terms, columns) = (table.terms, table.columns());
    let mut body = vec![
        columns.column("begin", name("node"), terms.num_inputs),
        columns.column("of_species", element("species", name("node")), terms.list.len()),
    ];
    body.extend(table.load(["x", "x", "begin"], 0..terms.num_inputs));
    if moving {
        body.extend(table.load(["v", "along", "begin"], 0..terms.num_inputs));
    }
    body
}

/// Writes the nested form: outputs `p<o>`, or sums into the gradients `d<i>`.
#[derive(Clone, Copy)]
struct Writer<'a> {
    table: Table<'a>,
    moving: bool,
    gradients: bool,
}

impl Writer<'_> {
    fn output(self, output: &Output) -> Vec<Statement> {
        let o = output.output;
        let mut all = Vec::new();
        if !self.gradients {
            all.push(variable(Kind::Real, format!("p{o}"), real(0.0)));
        }
        for at in output.leads.clone() {
            all.extend(self.lead(at, o));
        }
        all
    }

    /// The terms that begin with a lead: `m` is what multiplies its factor, `a` the gradient times it.
    fn lead(self, at: usize, o: usize) -> Vec<Statement> {
        let lead = &self.table.terms.tree.leads[at];
        let factor = lead.factor;
        let mut all = Vec::new();
        if self.gradients {
            all.push(constant(Kind::Real, format!("a{at}"), n("g", o) * n("x", factor)));
            if self.moving {
                all.push(constant(Kind::Real, format!("a{at}s"), n("g", o) * n("v", factor)));
            }
        }
        all.extend(self.begin("m", at, lead));
        for pair in lead.next.clone() {
            all.extend(self.pair(pair, at));
            let x = self.table.terms.tree.pairs[pair].factor;
            all.push(add(format!("m{at}"), n("x", x) * n("i", pair)));
            if self.moving {
                let change = n("v", x) * n("i", pair) + n("x", x) * s("i", pair);
                all.push(add(format!("m{at}s"), change));
            }
        }
        all.push(match (self.gradients, self.moving) {
            (false, false) => add(format!("p{o}"), n("x", factor) * n("m", at)),
            (false, true) => {
                let change = n("v", factor) * n("m", at) + n("x", factor) * s("m", at);
                add(format!("p{o}"), change)
            }
            (true, false) => add(format!("d{factor}"), n("g", o) * n("m", at)),
            (true, true) => add(format!("d{factor}"), n("g", o) * s("m", at)),
        });
        all
    }

    /// The terms that begin with a pair: `i` is what multiplies its factor, `b` the gradient times the
    /// first two factors.
    fn pair(self, at: usize, lead: usize) -> Vec<Statement> {
        let tree = &self.table.terms.tree;
        let pair = &tree.pairs[at];
        let x = pair.factor;
        let mut all = self.begin("i", at, pair);
        if self.gradients && !pair.next.is_empty() {
            all.push(constant(Kind::Real, format!("b{at}"), n("x", x) * n("a", lead)));
            if self.moving {
                let change = n("v", x) * n("a", lead) + n("x", x) * s("a", lead);
                all.push(constant(Kind::Real, format!("b{at}s"), change));
            }
        }
        for leaf in &tree.triples[pair.next.clone()] {
            let k = || n("k", leaf.term);
            all.push(self.coefficient(leaf.term));
            all.push(add(format!("i{at}"), n("x", leaf.factor) * k()));
            if self.moving {
                all.push(add(format!("i{at}s"), n("v", leaf.factor) * k()));
            }
            if self.gradients {
                let both = if self.moving { s("b", at) } else { n("b", at) };
                all.push(add(format!("d{}", leaf.factor), both * k()));
            }
        }
        if self.gradients {
            let gradient = if self.moving {
                n("a", lead) * s("i", at) + s("a", lead) * n("i", at)
            } else {
                n("a", lead) * n("i", at)
            };
            all.push(add(format!("d{x}"), gradient));
        }
        all
    }

    /// A sum that begins with the coefficient of the term that ends here, if one does.
    fn begin(self, prefix: &str, at: usize, branch: &Branch) -> Vec<Statement> {
        let mut all = Vec::new();
        let first = match branch.term {
            Some(term) => {
                all.push(self.coefficient(term));
                n("k", term)
            }
            None => real(0.0),
        };
        all.push(variable(Kind::Real, format!("{prefix}{at}"), first));
        if self.moving {
            all.push(variable(Kind::Real, format!("{prefix}{at}s"), real(0.0)));
        }
        all
    }

    fn coefficient(self, term: usize) -> Statement {
        let value = element("coefficients", self.table.columns().row("of_species", term));
        constant(Kind::Real, format!("k{term}"), value)
    }
}
