//! Kernels of transformers.

use std::hint::black_box;

use genesis_kernels::{
    AdamwStep, AmsgradState, AttentionProblem, Cpu, DropoutMask, GeluKind, Kernels, Precision,
    WeightLayout, Work, adamw, attention, cross_entropy, dropout, embedding, gelu, linear, norm,
    reduce, rotary, swiglu,
};

use super::case::KernelCase;
use super::shapes::{Sequences, ShapeSet};
use super::tensors::{bytes, ids, normal};
use crate::ceiling::Arithmetic::{self, Bf16, F32, F64};

/// Parameters of a step of an optimizer, by set.
const PARAMETERS: [(ShapeSet, usize); 3] =
    [(ShapeSet::Small, 1_000), (ShapeSet::Model, 10_000_000), (ShapeSet::Large, 50_000_000)];

pub(super) fn cases(set: ShapeSet) -> Vec<KernelCase> {
    let s = set.sequences();
    let mut all = Vec::new();
    for arithmetic in [F32, Bf16, F64] {
        all.extend(linears(s, [s.width, s.hidden], arithmetic));
    }
    for arithmetic in [F32, Bf16] {
        for causal in [true, false] {
            all.extend(attentions(s, causal, arithmetic));
        }
        all.push(loss(s, arithmetic));
    }
    all.extend(norms(s));
    all.extend(rows_of_tokens(s));
    all.extend(activations(s));
    let parameters = PARAMETERS.iter().find(|(of, _)| *of == set).map_or(0, |(_, count)| *count);
    all.extend(updates(parameters));
    all
}

fn precision(arithmetic: Arithmetic) -> Precision {
    if arithmetic == Bf16 { Precision::Bf16Mixed } else { Precision::Full }
}

fn linears(s: Sequences, [i, o]: [usize; 2], arithmetic: Arithmetic) -> Vec<KernelCase> {
    let (tokens, size, precision) = (s.tokens(), bytes(arithmetic), precision(arithmetic));
    let case = |operation, work, prepare: fn([usize; 3], Arithmetic, Precision) -> _| {
        let shape = format!("{tokens} x {i} x {o}");
        KernelCase::new(["linear", operation], shape, arithmetic, work, move || {
            prepare([tokens, i, o], arithmetic, precision)
        })
    };
    let one = linear::roofline::forward(tokens, i, o, size);
    vec![
        case("forward", one, |[n, i, o], arithmetic, precision| {
            let (x, w) = (normal([n, i], arithmetic), normal([o, i], arithmetic));
            Box::new(move || {
                let layout = WeightLayout::OutIn;
                black_box(<Cpu as Kernels>::linear(x.clone(), w.clone(), None, layout, precision));
            })
        }),
        case("input_backward", one, |[n, i, o], arithmetic, precision| {
            let (g, w) = (normal([n, o], arithmetic), normal([o, i], arithmetic));
            Box::new(move || {
                let (g, w) = (g.clone(), w.clone());
                let layout = WeightLayout::OutIn;
                black_box(<Cpu as Kernels>::linear_input_backward(g, w, layout, precision));
            })
        }),
        case("weight_backward", one, |[n, i, o], arithmetic, precision| {
            let (g, x) = (normal([n, o], arithmetic), normal([n, i], arithmetic));
            Box::new(move || {
                let (g, x) = (g.clone(), x.clone());
                let layout = WeightLayout::OutIn;
                black_box(<Cpu as Kernels>::linear_weight_backward(g, x, layout, precision));
            })
        }),
    ]
}

fn attentions(s: Sequences, causal: bool, arithmetic: Arithmetic) -> Vec<KernelCase> {
    let step = u32::try_from(s.context).unwrap_or(u32::MAX);
    let starts: Vec<u32> = (0..).step_by(s.context).map(|at: u32| at).take(s.batch + 1).collect();
    debug_assert!(starts.get(1).is_none_or(|&second| second == step));
    let scale = (s.head_width() as f64).sqrt().recip();
    let problem = AttentionProblem::packed(&starts, causal, scale, precision(arithmetic));
    let (tokens, heads, width) = (s.tokens(), s.heads, s.head_width());
    let seen = if causal { "causal" } else { "full" };
    let shape = format!("{} x {} h{heads} d{width} {seen}", s.batch, s.context);
    let sizes = [heads, heads, width];
    let size = bytes(arithmetic);
    let work = [
        attention::roofline::forward(&problem, sizes, size),
        attention::roofline::backward(&problem, sizes, size),
    ];
    let tensors = move || [0; 4].map(|_: u8| normal([tokens, heads, width], arithmetic));
    let (first, second) = (problem.clone(), problem);
    vec![
        KernelCase::new(["attention", "forward"], shape.clone(), arithmetic, work[0], move || {
            let ([q, k, v, _], problem) = (tensors(), first.clone());
            Box::new(move || {
                let (q, k, v) = (q.clone(), k.clone(), v.clone());
                black_box(<Cpu as Kernels>::attention(q, k, v, &problem));
            })
        }),
        KernelCase::new(["attention", "backward"], shape, arithmetic, work[1], move || {
            let ([q, k, v, g], problem) = (tensors(), second.clone());
            let (o, lse) = <Cpu as Kernels>::attention(q.clone(), k.clone(), v.clone(), &problem);
            Box::new(move || {
                let [g, q, k, v, o] = [&g, &q, &k, &v, &o].map(Clone::clone);
                let lse = lse.clone();
                black_box(<Cpu as Kernels>::attention_backward(g, q, k, v, o, lse, &problem));
            })
        }),
    ]
}

/// The loss with its gradients: what training runs.
fn loss(s: Sequences, arithmetic: Arithmetic) -> KernelCase {
    let (tokens, width, vocabulary) = (s.tokens(), s.width, s.vocabulary);
    let shape = format!("{tokens} x {width} x {vocabulary}");
    let size = bytes(arithmetic);
    // Logits are there when their gradients are made: three products, not four.
    let Work { flops, bytes } = cross_entropy::roofline::backward(tokens, width, vocabulary, size);
    let work = Work { flops: flops + 4.0 * (tokens * vocabulary) as f64, bytes };
    let precision = precision(arithmetic);
    KernelCase::new(["cross_entropy", "with_gradients"], shape, arithmetic, work, move || {
        let (h, w) = (normal([tokens, width], arithmetic), normal([vocabulary, width], arithmetic));
        let labels = ids(tokens, vocabulary);
        Box::new(move || {
            let (h, w, labels) = (h.clone(), w.clone(), labels.clone());
            black_box(Cpu::linear_cross_entropy_gradients(h, w, None, labels, precision));
        })
    })
}

fn norms(s: Sequences) -> Vec<KernelCase> {
    const EPSILON: f64 = 1e-5;
    let (tokens, width) = (s.tokens(), s.width);
    let shape = format!("{tokens} x {width}");
    let case = |operation, work, prepare: fn(usize, usize) -> _| {
        KernelCase::new(["norm", operation], shape.clone(), F32, work, move || {
            prepare(tokens, width)
        })
    };
    vec![
        case("rms_norm", norm::roofline::rms_norm(tokens, width, 4), |n, c| {
            let (x, w) = (normal([n, c], F32), normal([c], F32));
            Box::new(move || {
                black_box(Cpu::rms_norm(x.clone(), w.clone(), EPSILON));
            })
        }),
        case("rms_norm_backward", norm::roofline::rms_norm_backward(tokens, width, 4), |n, c| {
            let ([x, g], w) = ([0; 2].map(|_: u8| normal([n, c], F32)), normal([c], F32));
            Box::new(move || {
                black_box(Cpu::rms_norm_backward(g.clone(), x.clone(), w.clone(), EPSILON));
            })
        }),
        case("layer_norm", norm::roofline::layer_norm(tokens, width, 4), |n, c| {
            let (x, [w, b]) = (normal([n, c], F32), [0; 2].map(|_: u8| normal([c], F32)));
            Box::new(move || {
                let (x, w, b) = (x.clone(), w.clone(), b.clone());
                black_box(<Cpu as Kernels>::layer_norm(x, w, b, EPSILON));
            })
        }),
        case(
            "layer_norm_backward",
            norm::roofline::layer_norm_backward(tokens, width, 4),
            |n, c| {
                let ([x, g], w) = ([0; 2].map(|_: u8| normal([n, c], F32)), normal([c], F32));
                Box::new(move || {
                    black_box(Cpu::layer_norm_backward(g.clone(), x.clone(), w.clone(), EPSILON));
                })
            },
        ),
    ]
}

fn rows_of_tokens(s: Sequences) -> Vec<KernelCase> {
    let (tokens, heads, width) = (s.tokens(), s.heads, s.head_width());
    let work = rotary::roofline::forward(tokens, heads, width, 4);
    let shape = format!("{tokens} h{heads} d{width}");
    let rotary = KernelCase::new(["rotary", "forward"], shape, F32, work, move || {
        let x = normal([tokens, heads, width], F32);
        let [cos, sin] = [0; 2].map(|_: u8| normal([tokens, width / 2], F32));
        Box::new(move || {
            black_box(Cpu::rotary(x.clone(), cos.clone(), sin.clone()));
        })
    });
    let (width, vocabulary) = (s.width, s.vocabulary);
    let shape = format!("{tokens} x {width} of {vocabulary}");
    let work = embedding::roofline::forward(tokens, width, 4);
    let lookup = KernelCase::new(["embedding", "forward"], shape.clone(), F32, work, move || {
        let (table, ids) = (normal([vocabulary, width], F32), ids(tokens, vocabulary));
        Box::new(move || {
            black_box(<Cpu as Kernels>::embedding(table.clone(), ids.clone()));
        })
    });
    let work = embedding::roofline::backward(tokens, width, vocabulary, 4);
    let gradient = KernelCase::new(["embedding", "backward"], shape, F32, work, move || {
        let (grad, ids) = (normal([tokens, width], F32), ids(tokens, vocabulary));
        Box::new(move || {
            let (grad, ids) = (grad.clone(), ids.clone());
            black_box(<Cpu as Kernels>::embedding_backward(grad, ids, vocabulary));
        })
    });
    vec![rotary, lookup, gradient]
}

fn activations(s: Sequences) -> Vec<KernelCase> {
    let (tokens, hidden) = (s.tokens(), s.hidden);
    let count = tokens * hidden;
    let case = |names, work, prepare: fn([usize; 2]) -> _| {
        let shape = format!("{tokens} x {hidden}");
        KernelCase::new(names, shape, F32, work, move || prepare([tokens, hidden]))
    };
    let erf = GeluKind::Erf;
    vec![
        case(["swiglu", "forward"], swiglu::roofline::forward(count, 4), |shape| {
            let [gate, up] = [0; 2].map(|_: u8| normal(shape, F32));
            Box::new(move || {
                black_box(Cpu::swiglu(gate.clone(), up.clone()));
            })
        }),
        case(["swiglu", "backward"], swiglu::roofline::backward(count, 4), |shape| {
            let [g, gate, up] = [0; 3].map(|_: u8| normal(shape, F32));
            Box::new(move || {
                black_box(Cpu::swiglu_backward(g.clone(), gate.clone(), up.clone()));
            })
        }),
        case(["gelu", "forward_erf"], gelu::roofline::forward(count, erf, 4), |shape| {
            let x = normal(shape, F32);
            Box::new(move || {
                black_box(<Cpu as Kernels>::gelu(x.clone(), GeluKind::Erf));
            })
        }),
        case(["gelu", "backward_erf"], gelu::roofline::backward(count, erf, 4), |shape| {
            let [g, x] = [0; 2].map(|_: u8| normal(shape, F32));
            Box::new(move || {
                black_box(<Cpu as Kernels>::gelu_backward(g.clone(), x.clone(), GeluKind::Erf));
            })
        }),
        case(["dropout", "forward"], dropout::roofline::forward(count, 4), |shape| {
            let (x, mask) = (normal(shape, F32), DropoutMask { rate: 0.1, key: 1, index: 2 });
            Box::new(move || {
                black_box(Cpu::dropout(x.clone(), &mask));
            })
        }),
    ]
}

/// What the optimizer does to flat buffers, in place as in training.
fn updates(parameters: usize) -> Vec<KernelCase> {
    let shape = format!("{parameters}");
    let step = AdamwStep {
        rate: 1e-3,
        beta1: 0.9,
        beta2: 0.95,
        epsilon: 1e-8,
        weight_decay: 0.1,
        step: 7,
        grad_scale: 1.0,
    };
    let buffers = move || [0; 4].map(|_: u8| normal([parameters], F32).abs());
    vec![
        KernelCase::new(
            ["adamw", "adamw"],
            shape.clone(),
            F32,
            adamw::roofline::step(parameters, 4),
            move || {
                let [param, grad, first, second] = buffers();
                let mut state = Some((param, first, second));
                Box::new(move || {
                    if let Some((param, first, second)) = state.take() {
                        state = Some(Cpu::adamw(param, grad.clone(), first, second, &step));
                    }
                })
            },
        ),
        KernelCase::new(
            ["adamw", "amsgrad"],
            shape.clone(),
            F32,
            adamw::roofline::amsgrad(parameters, 4),
            move || {
                let [param, grad, first, second] = buffers();
                let largest = second.clone().mul_scalar(2.0);
                let mut state = Some(AmsgradState { param, first, second, largest });
                Box::new(move || {
                    state = state.take().map(|state| Cpu::amsgrad(state, grad.clone(), &step));
                })
            },
        ),
        KernelCase::new(
            ["reduce", "sum_of_squares"],
            shape,
            F32,
            reduce::roofline::sum_of_squares(parameters, 4),
            move || {
                let x = normal([parameters], F32);
                Box::new(move || {
                    black_box(Cpu::sum_of_squares(x.clone()));
                })
            },
        ),
    ]
}
