//! The language of emitted kernels: numbers, arrays, loops, one barrier; no functions, no pointers.
//!
//! Names that every kernel knows: `thread` (of its group, from 0), `group` (from 0) and `count`, its
//! one parameter. Whole numbers are unsigned with 32 bits; a [`Kind::Place`] is an index of an array
//! and has 64 bits where the language has such indices.

use std::ops::{Add, Div, Mul, Rem, Sub};

/// What a name holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A floating-point number of the precision of the call.
    Real,
    /// A whole number.
    Whole,
    /// A place in an array.
    Place,
}

/// Operators of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Less,
    Equal,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    Real(f64),
    Whole(u32),
    Name(String),
    Element(String, Box<Expr>),
    Binary(Operator, Box<[Expr; 2]>),
    /// A whole number as a place.
    Place(Box<Expr>),
    Root(Box<Expr>),
    /// Condition, value where it holds, value where not.
    Select(Box<[Expr; 3]>),
    Call(Function, Vec<Expr>),
}

/// Functions of real numbers, which each language has by some name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    /// Of `a`, `b`, `c`: `a b + c`.
    MulAdd,
    Min,
    Exp,
    Logistic,
    Erf,
    Tanh,
    /// Of `x` and `tanh x`: `1 - tanh(x)^2`.
    TanhSlope,
}

/// A step of a kernel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Statement {
    Constant(Kind, String, Expr),
    Variable(Kind, String, Expr),
    Add(String, Expr),
    /// Array, place, value.
    Store(String, Expr, Expr),
    /// Counter, first, end, step, body.
    Each(String, [Expr; 3], Vec<Statement>),
    When(Expr, Vec<Statement>),
    /// All threads of a group have come here, and see what the others wrote into shared memory.
    Barrier(String),
}

/// What a kernel does with an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
    /// Both, each element by one thread alone.
    Update,
}

/// A parameter that is an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Array {
    pub(crate) name: &'static str,
    /// Not a place.
    pub(crate) kind: Kind,
    pub(crate) access: Access,
    /// Its shape and meaning, for the header.
    pub(crate) about: String,
}

/// One entry point in a source text of its own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kernel {
    pub(crate) name: &'static str,
    /// For the header: what it is.
    pub(crate) title: String,
    /// For the header: the formula, in lines.
    pub(crate) maths: Vec<String>,
    pub(crate) arrays: Vec<Array>,
    /// For the header: what threads have.
    pub(crate) launch: String,
    /// Of a group; a multiple of 32, and not above 128.
    pub(crate) threads: u32,
    /// What `count` counts.
    pub(crate) count: &'static str,
    /// Real numbers that the threads of a group share.
    pub(crate) shared: Option<u32>,
    pub(crate) body: Vec<Statement>,
}

/// The name of the shared numbers.
pub(crate) const SHARED: &str = "tile";

pub(crate) fn name(name: impl Into<String>) -> Expr {
    Expr::Name(name.into())
}

pub(crate) fn real(value: f64) -> Expr {
    Expr::Real(value)
}

/// # Panics
/// When the number has more than 32 bits: tables of degree 6 are far below.
pub(crate) fn whole(value: usize) -> Expr {
    Expr::Whole(u32::try_from(value).expect("sizes of tables have 32 bits"))
}

pub(crate) fn element(array: &str, at: Expr) -> Expr {
    Expr::Element(array.to_owned(), Box::new(at))
}

/// A number of the shared ones.
pub(crate) fn shared(at: Expr) -> Expr {
    element(SHARED, at)
}

/// A whole number as a place.
pub(crate) fn place(of: Expr) -> Expr {
    Expr::Place(Box::new(of))
}

pub(crate) fn root(of: Expr) -> Expr {
    Expr::Root(Box::new(of))
}

pub(crate) fn select(condition: Expr, yes: Expr, no: Expr) -> Expr {
    Expr::Select(Box::new([condition, yes, no]))
}

pub(crate) fn call<const N: usize>(function: Function, of: [Expr; N]) -> Expr {
    Expr::Call(function, of.into())
}

pub(crate) fn less(a: Expr, b: Expr) -> Expr {
    binary(Operator::Less, a, b)
}

/// Whether two numbers are the same.
pub(crate) fn equal(a: Expr, b: Expr) -> Expr {
    binary(Operator::Equal, a, b)
}

pub(crate) fn constant(kind: Kind, name: impl Into<String>, value: Expr) -> Statement {
    Statement::Constant(kind, name.into(), value)
}

pub(crate) fn variable(kind: Kind, name: impl Into<String>, value: Expr) -> Statement {
    Statement::Variable(kind, name.into(), value)
}

pub(crate) fn add(name: impl Into<String>, value: Expr) -> Statement {
    Statement::Add(name.into(), value)
}

pub(crate) fn store(array: &str, at: Expr, value: Expr) -> Statement {
    Statement::Store(array.to_owned(), at, value)
}

/// `for (counter = first; counter < end; counter += step)`.
pub(crate) fn each(
    counter: impl Into<String>,
    [first, end, step]: [Expr; 3],
    body: Vec<Statement>,
) -> Statement {
    Statement::Each(counter.into(), [first, end, step], body)
}

pub(crate) fn when(condition: Expr, body: Vec<Statement>) -> Statement {
    Statement::When(condition, body)
}

/// A barrier and what it orders.
pub(crate) fn barrier(because: &str) -> Statement {
    Statement::Barrier(because.to_owned())
}

fn binary(operator: Operator, a: Expr, b: Expr) -> Expr {
    Expr::Binary(operator, Box::new([a, b]))
}

macro_rules! operator {
    ($name:ident, $method:ident, $operator:ident) => {
        impl $name for Expr {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                binary(Operator::$operator, self, other)
            }
        }
    };
}
operator!(Add, add, Add);
operator!(Sub, sub, Subtract);
operator!(Mul, mul, Multiply);
operator!(Div, div, Divide);
operator!(Rem, rem, Remainder);
