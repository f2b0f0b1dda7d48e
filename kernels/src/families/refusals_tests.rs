//! Every operation refuses a wrong shape, with the shape it got and the one it wants. The calls are those that
//! the tests of the families give.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::{Device, Tensor};

use super::{FAMILIES, operations, refusals};
use crate::Cpu;

/// How a refusal begins and a call with a wrong shape; a name alone where the operation takes any.
pub(crate) struct Refusal {
    message: &'static str,
    call: Option<Box<dyn FnOnce()>>,
}

/// A call that is refused.
pub(crate) fn refusal<T>(message: &'static str, call: impl FnOnce() -> T + 'static) -> Refusal {
    Refusal { message, call: Some(Box::new(move || drop(call()))) }
}

/// An operation of one tensor, whatever its shape.
pub(crate) fn any_shape(operation: &'static str) -> Refusal {
    Refusal { message: operation, call: None }
}

/// A tensor of this shape.
pub(crate) fn zeros<const D: usize>(shape: [usize; D]) -> Tensor<Cpu, D> {
    Tensor::zeros(shape, &Device::<Cpu>::default())
}

#[test]
fn every_operation_refuses_a_wrong_shape_and_names_both() {
    let mut refused = vec![];
    for Refusal { message, call } in refusals() {
        refused.extend(message.split(':').next());
        let Some(call) = call else { continue };
        let panic = catch_unwind(AssertUnwindSafe(call)).expect_err(message);
        let said = panic.downcast_ref::<String>().expect("a formatted message");
        assert!(said.starts_with(message), "{said}");
    }
    let mut wanted = operations();
    refused.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(refused, wanted);
}

#[test]
fn the_list_of_families_is_the_list_of_their_modules() {
    let modules = include_str!("mod.rs").lines().filter_map(|line| line.strip_prefix("pub mod "));
    assert_eq!(modules.map(|name| name.trim_end_matches(';')).collect::<Vec<_>>(), FAMILIES);
}

#[test]
fn the_cpu_has_kernels_of_its_own_and_only_for_operations_there_are() {
    use super::Kernels;
    let (all, own) = (operations(), Cpu::own_kernels());
    assert!(own.contains(&"attention_backward") && own.contains(&"adamw"), "{own:?}");
    assert!(own.iter().all(|name| all.contains(name)) && own.len() < all.len(), "{own:?}");
    let in_graph = crate::Autodiff::<Cpu>::own_kernels();
    assert!(in_graph.contains(&"attention") && !in_graph.contains(&"adamw"), "{in_graph:?}");
}
