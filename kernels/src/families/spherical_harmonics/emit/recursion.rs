//! The recursion and its reverse in registers, on numbers and on numbers with their derivative.

use super::super::recursion::{Step, steps};
use crate::machine::emit::{
    Expr, Kind, Statement, add, constant, equal, name, real, root, select, variable,
};

fn n(prefix: &str, index: usize) -> Expr {
    name(format!("{prefix}{index}"))
}

/// The derivative that belongs to a name.
fn s(prefix: &str, index: usize) -> Expr {
    name(format!("{prefix}{index}s"))
}

fn dot(a: &str, b: &str) -> Expr {
    n(a, 0) * n(b, 0) + n(a, 1) * n(b, 1) + n(a, 2) * n(b, 2)
}

/// `u` and `1 / |v|`, both zero where `v` is.
pub(super) fn direction() -> Vec<Statement> {
    let reciprocal = real(1.0) / root(name("square"));
    let mut all = vec![
        constant(Kind::Real, "square", dot("v", "v")),
        constant(
            Kind::Real,
            "reciprocal",
            select(equal(name("square"), real(0.0)), real(0.0), reciprocal),
        ),
    ];
    let unit = |i| constant(Kind::Real, format!("u{i}"), n("v", i) * name("reciprocal"));
    all.extend((0..3).map(unit));
    all
}

/// The same with derivatives: `u' = (w - u (u . w)) / |v|`, `(1/|v|)' = -(u . w) / v^2`.
pub(super) fn moving_direction() -> Vec<Statement> {
    let mut all = direction();
    all.push(constant(Kind::Real, "radial", dot("u", "w")));
    let shrink = name("radial") * name("reciprocal") * name("reciprocal");
    all.push(constant(Kind::Real, "reciprocals", real(0.0) - shrink));
    all.extend((0..3).map(|i| {
        let across = n("w", i) - n("u", i) * name("radial");
        constant(Kind::Real, format!("u{i}s"), across * name("reciprocal"))
    }));
    all
}

/// Steps to a component of a degree, and where they start and end.
fn steps_to(degree: usize, upper: usize) -> impl Iterator<Item = &'static Step> {
    steps(degree).iter().filter(move |step| step.upper == upper)
}

/// The harmonics of all degrees.
pub(super) fn degrees(max_degree: usize) -> Vec<Statement> {
    all_degrees(max_degree, |degree, upper| {
        let below = (degree - 1) * (degree - 1);
        let term =
            |step: &Step| real(step.value) * (n("u", step.axis) * n("y", below + step.lower));
        let sum = sum(steps_to(degree, upper).map(term));
        vec![constant(Kind::Real, format!("y{}", degree * degree + upper), sum)]
    })
}

/// The harmonics and their derivatives.
pub(super) fn moving_degrees(max_degree: usize) -> Vec<Statement> {
    let mut all = degrees(max_degree);
    all.insert(0, constant(Kind::Real, "y0s", real(0.0)));
    all.extend(
        all_degrees(max_degree, |degree, upper| {
            let below = (degree - 1) * (degree - 1);
            let term = |step: &Step| {
                let (axis, lower) = (step.axis, below + step.lower);
                real(step.value) * (s("u", axis) * n("y", lower) + n("u", axis) * s("y", lower))
            };
            let sum = sum(steps_to(degree, upper).map(term));
            vec![constant(Kind::Real, format!("y{}s", degree * degree + upper), sum)]
        })
        .split_off(1),
    );
    all
}

/// Degree 0, then every component of every degree.
fn all_degrees(
    max_degree: usize,
    component: impl Fn(usize, usize) -> Vec<Statement>,
) -> Vec<Statement> {
    let mut all = vec![constant(Kind::Real, "y0", real(1.0))];
    for degree in 1..=max_degree {
        all.extend((0..=2 * degree).flat_map(|upper| component(degree, upper)));
    }
    all
}

fn sum(terms: impl Iterator<Item = Expr>) -> Expr {
    terms.reduce(|a, b| a + b).expect("every component is reached")
}

/// From the gradients `g<m>` to that of the vector, `o<i>`.
pub(super) fn pull_back(max_degree: usize) -> Vec<Statement> {
    let mut all = zeros("d", "");
    for degree in (1..=max_degree).rev() {
        all.extend(steps(degree).iter().flat_map(|step| {
            let [axis, lower, upper] = places(degree, step);
            let grad = || real(step.value) * n("g", upper);
            [
                add(format!("d{axis}"), grad() * n("y", lower)),
                add(format!("g{lower}"), grad() * n("u", axis)),
            ]
        }));
    }
    all.push(constant(Kind::Real, "along_unit", dot("u", "d")));
    all.extend((0..3).map(|i| {
        let across = n("d", i) - n("u", i) * name("along_unit");
        constant(Kind::Real, format!("o{i}"), across * name("reciprocal"))
    }));
    all
}

/// The derivative of the same, `o<i>`; the gradients given do not change.
pub(super) fn moving_pull_back(max_degree: usize) -> Vec<Statement> {
    let mut all = zeros("d", "");
    all.extend(zeros("d", "s"));
    let columns = (max_degree + 1) * (max_degree + 1);
    all.extend((0..columns).map(|m| variable(Kind::Real, format!("g{m}s"), real(0.0))));
    for degree in (1..=max_degree).rev() {
        all.extend(steps(degree).iter().flat_map(|step| moving_step(degree, step)));
    }
    let change = |i| s("u", i) * n("d", i) + n("u", i) * s("d", i);
    all.extend([
        constant(Kind::Real, "along_unit", dot("u", "d")),
        constant(Kind::Real, "along_units", change(0) + change(1) + change(2)),
    ]);
    all.extend((0..3).map(|i| {
        let across = n("d", i) - n("u", i) * name("along_unit");
        let turned = s("u", i) * name("along_unit") + n("u", i) * name("along_units");
        let value = (s("d", i) - turned) * name("reciprocal") + across * name("reciprocals");
        constant(Kind::Real, format!("o{i}"), value)
    }));
    all
}

fn moving_step(degree: usize, step: &Step) -> [Statement; 4] {
    let [axis, lower, upper] = places(degree, step);
    let change = |of: &str, index: usize| {
        real(step.value) * (s("g", upper) * n(of, index) + n("g", upper) * s(of, index))
    };
    let value = |of: &str, index: usize| real(step.value) * n("g", upper) * n(of, index);
    [
        add(format!("d{axis}"), value("y", lower)),
        add(format!("d{axis}s"), change("y", lower)),
        add(format!("g{lower}s"), change("u", axis)),
        add(format!("g{lower}"), value("u", axis)),
    ]
}

/// Axis, and columns of the lower and the upper component.
fn places(degree: usize, step: &Step) -> [usize; 3] {
    let below = (degree - 1) * (degree - 1);
    [step.axis, below + step.lower, degree * degree + step.upper]
}

fn zeros(prefix: &str, suffix: &str) -> Vec<Statement> {
    (0..3).map(|i| variable(Kind::Real, format!("{prefix}{i}{suffix}"), real(0.0))).collect()
}
