//! Which operations a backend has kernels of its own for, read from the source of its `impl Kernels`.
//!
//! A list beside the code would be wrong one day. A method that stands in the `impl` overrides the
//! reference; one that does not is the reference.

/// Every operation of [`Kernels`](crate::Kernels), in the order of the trait.
pub fn operations() -> Vec<&'static str> {
    methods(include_str!("backend.rs"), "pub trait Kernels")
}

/// The operations that `source` overrides in its first `impl Kernels for …`.
pub(crate) fn overrides(source: &'static str) -> Vec<&'static str> {
    methods(source, "impl Kernels for ")
}

/// What is no operation on tensors.
const OTHERS: [&str; 2] = ["own_kernels", "keep_awake"];

/// Names of the functions in the block that a line starting with `head` opens, without [`OTHERS`].
fn methods(source: &'static str, head: &str) -> Vec<&'static str> {
    let lines = source.lines().skip_while(|line| !line.starts_with(head));
    let opened = lines.clone().next().is_some_and(|line| line.ends_with('{'));
    let block = lines.skip(1).take_while(|line| opened && *line != "}");
    let names = block.filter_map(|line| {
        let name = line.strip_prefix("    fn ")?;
        name.split(['(', '<']).next()
    });
    names.filter(|name| !OTHERS.contains(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cpu, Kernels};

    #[test]
    fn operations_are_the_methods_of_the_trait() {
        let all = operations();
        for name in ["round_to_bf16", "linear_backward", "attention", "scale_rows"] {
            assert!(all.contains(&name), "{name} in {all:?}");
        }
        assert!(OTHERS.iter().all(|other| !all.contains(other)));
    }

    #[test]
    fn the_cpu_overrides_what_its_file_says_and_only_operations_of_the_trait() {
        let (all, own) = (operations(), Cpu::own_kernels());
        assert!(own.contains(&"attention_backward") && own.contains(&"adamw"), "{own:?}");
        assert!(own.iter().all(|name| all.contains(name)), "{own:?}");
        assert!(own.len() < all.len());
    }

    #[test]
    fn an_empty_block_and_a_block_of_two_are_read_as_they_are() {
        assert!(methods("impl Kernels for A {}\n", "impl Kernels for ").is_empty());
        let two = "impl Kernels for A {\n    fn a<const D: usize>(\n    ) {\n        fn x() {}\n    \
                   }\n    fn b() {}\n}\nfn c() {}\n";
        assert_eq!(methods(two, "impl Kernels for "), ["a", "b"]);
    }
}
