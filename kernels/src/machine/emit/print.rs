//! What the two languages write alike: expressions, statements, the header. What differs is asked of
//! a [`Language`].

use super::syntax::{Access, Expr, Function, Kernel, Kind, Operator, Statement};

/// The words of one language.
pub(super) trait Language {
    fn kind(&self, kind: Kind) -> &'static str;
    fn real(&self, value: f64) -> String;
    /// `of` as a place.
    fn place(&self, of: &str) -> String;
    fn select(&self, condition: &str, yes: &str, no: &str) -> String;
    fn constant(&self, kind: Kind, name: &str, value: &str) -> String;
    fn variable(&self, kind: Kind, name: &str, value: &str) -> String;
    /// A new counter of a loop.
    fn counter(&self, name: &str, first: &str) -> String;
    fn barrier(&self) -> &'static str;
    fn function(&self, function: Function) -> &'static str;

    fn expression(&self, expr: &Expr) -> String {
        match expr {
            Expr::Real(value) => self.real(*value),
            Expr::Whole(value) => format!("{value}u"),
            Expr::Name(name) => name.clone(),
            Expr::Element(array, at) => format!("{array}[{}]", self.expression(at)),
            Expr::Place(of) => self.place(&self.expression(of)),
            Expr::Root(of) => format!("sqrt({})", self.expression(of)),
            Expr::Select(parts) => {
                let [condition, yes, no] = parts.each_ref().map(|part| self.expression(part));
                self.select(&condition, &yes, &no)
            }
            Expr::Call(function, of) => {
                let of: Vec<String> = of.iter().map(|of| self.expression(of)).collect();
                format!("{}({})", self.function(*function), of.join(", "))
            }
            Expr::Binary(operator, parts) => {
                let (own, sign) = print(*operator);
                // Equal strength on the right keeps its brackets: subtraction is not associative.
                let [a, b] = [self.bracketed(&parts[0], own), self.bracketed(&parts[1], own + 1)];
                format!("{a} {sign} {b}")
            }
        }
    }

    /// In brackets where it binds less than `strength`.
    fn bracketed(&self, expr: &Expr, strength: u8) -> String {
        let text = self.expression(expr);
        match expr {
            Expr::Binary(operator, _) if print(*operator).0 < strength => format!("({text})"),
            _ => text,
        }
    }

    /// Adds the lines of statements, indented by `depth`.
    fn write(&self, lines: &mut Vec<String>, body: &[Statement], depth: usize) {
        for statement in body {
            match statement {
                Statement::Each(..) | Statement::When(..) => self.block(lines, statement, depth),
                _ => lines.push(indented(depth, &self.line(statement))),
            }
        }
    }

    /// A statement without a body.
    fn line(&self, statement: &Statement) -> String {
        let print = |expr| self.expression(expr);
        match statement {
            Statement::Constant(kind, name, value) => self.constant(*kind, name, &print(value)),
            Statement::Variable(kind, name, value) => self.variable(*kind, name, &print(value)),
            Statement::Add(name, value) => format!("{name} += {};", print(value)),
            Statement::Store(array, at, value) => {
                format!("{array}[{}] = {};", print(at), print(value))
            }
            Statement::Barrier(because) => format!("{}; // {because}", self.barrier()),
            Statement::Each(..) | Statement::When(..) => unreachable!("they have bodies"),
        }
    }

    /// A statement with a body.
    fn block(&self, lines: &mut Vec<String>, statement: &Statement, depth: usize) {
        let (head, body) = match statement {
            Statement::Each(counter, range, body) => {
                let [first, end, step] = range.each_ref().map(|bound| self.expression(bound));
                let first = self.counter(counter, &first);
                (format!("for ({first}; {counter} < {end}; {counter} += {step})"), body)
            }
            Statement::When(condition, body) => {
                (format!("if ({})", self.expression(condition)), body)
            }
            _ => unreachable!("it has no body"),
        };
        lines.push(indented(depth, &format!("{head} {{")));
        self.write(lines, body, depth + 1);
        lines.push(indented(depth, "}"));
    }
}

fn indented(depth: usize, line: &str) -> String {
    "    ".repeat(depth) + line
}

/// Lines as a text.
pub(super) fn text(lines: &[String]) -> String {
    lines.join("\n") + "\n"
}

/// The header of a source text, as hand-written kernels have it.
pub(super) fn header(kernel: &Kernel) -> Vec<String> {
    let mut lines = vec![format!("{}: {}.", kernel.name, kernel.title)];
    lines.push("Printed from a description, not written by hand.".to_owned());
    lines.push(String::new());
    let mut field = "maths";
    for line in &kernel.maths {
        lines.push(format!("{field:<14} {line}"));
        field = "";
    }
    field = "layout";
    for array in &kernel.arrays {
        let access = match array.access {
            Access::Read => "read",
            Access::Write => "written",
            Access::Update => "read and written",
        };
        lines.push(format!("{field:<14} {} {} ({access})", array.name, array.about));
        field = "";
    }
    lines.push(format!("{:<14} {}", "launch", kernel.launch));
    lines.push(format!("{:<14} count: {}; tails are masked", "requires", kernel.count));
    lines.push(format!("{:<14} each sum in one order, by one thread; no atomics", "deterministic"));
    lines.push(format!("{:<14} reference.rs; roofline.rs", "oracle, bound"));
    lines.iter().map(|line| format!("// {line}").trim_end().to_owned()).collect()
}

/// How strongly an operator binds, and its sign.
fn print(operator: Operator) -> (u8, &'static str) {
    match operator {
        Operator::Less => (1, "<"),
        Operator::Equal => (1, "=="),
        Operator::Add => (2, "+"),
        Operator::Subtract => (2, "-"),
        Operator::Multiply => (3, "*"),
        Operator::Divide => (3, "/"),
        Operator::Remainder => (3, "%"),
    }
}
