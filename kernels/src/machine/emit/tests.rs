//! Both languages, word for word, of a kernel that uses every part of the language.

use super::*;

fn kernel() -> Kernel {
    let index = name("group") * whole(128) + name("thread");
    let twice = select(less(name("x"), real(0.5)), name("x") * (name("x") + real(2.0)), real(0.25));
    Kernel {
        name: "doubles",
        title: "a kernel for tests".to_owned(),
        maths: vec!["y = something".to_owned(), "z = more".to_owned()],
        arrays: vec![
            Array { name: "x_in", kind: Kind::Real, access: Access::Read, about: "[N]".to_owned() },
            Array { name: "out", kind: Kind::Real, access: Access::Write, about: "[N]".to_owned() },
        ],
        launch: "a thread per number".to_owned(),
        threads: THREADS,
        count: "N",
        shared: Some(4),
        body: vec![
            constant(Kind::Whole, "at", index),
            when(
                less(name("at"), name("count")),
                vec![
                    constant(Kind::Place, "begin", place(name("at")) * whole(3)),
                    variable(Kind::Real, "x", root(element("x_in", name("begin") + whole(1)))),
                    each("i", [whole(0), whole(2), whole(1)], vec![add("x", real(0.1))]),
                    add("x", name("x") - (name("x") - real(1.0)) / real(3.0)),
                    store("out", name("at"), twice),
                ],
            ),
            barrier("all wrote"),
        ],
    }
}

#[test]
fn the_text_in_cuda_is_what_a_reader_expects() {
    let want = r#"// doubles: a kernel for tests.
// Printed from a description, not written by hand.
//
// maths          y = something
//                z = more
// layout         x_in [N] (read)
//                out [N] (written)
// launch         a thread per number
// requires       count: N; tails are masked
// deterministic  each sum in one order, by one thread; no atomics
// oracle, bound  reference.rs; roofline.rs
// variants       Real = float | double
#include "prelude.cuh"

extern "C" __global__ __launch_bounds__(128) void doubles(
    const Real* __restrict__ x_in, Real* __restrict__ out, u32 count) {
    __shared__ Real tile[4];
    const u32 thread = threadIdx.x;
    const u32 group = blockIdx.x;
    const u32 at = group * 128u + thread;
    if (at < count) {
        const u64 begin = u64(at) * 3u;
        Real x = sqrt(x_in[begin + 1u]);
        for (u32 i = 0u; i < 2u; i += 1u) {
            x += Real(0.1);
        }
        x += x - (x - Real(1.0)) / Real(3.0);
        out[at] = (x < Real(0.5) ? x * (x + Real(2.0)) : Real(0.25));
    }
    __syncthreads(); // all wrote
}
"#;
    assert_eq!(kernel().cuda(), want);
}

#[test]
fn the_text_in_wgsl_is_what_a_reader_expects() {
    let text = kernel().wgsl();
    for line in [
        "var<workgroup> tile: array<f32, 4>;",
        "@group(0) @binding(1) var<storage, read_write> out: array<f32>;",
        "    let at: u32 = group * 128u + thread;",
        "        let begin: u32 = u32(at) * 3u;",
        "        for (var i = 0u; i < 2u; i += 1u) {",
        "            x += 0.1f;",
        "        out[at] = select(0.25f, x * (x + 2.0f), x < 0.5f);",
        "    workgroupBarrier(); // all wrote",
    ] {
        assert!(text.lines().any(|found| found == line), "no line `{line}` in\n{text}");
    }
}
