//! Kernels of transformers.

use std::hint::black_box;

use genesis_kernels::{
    AdamwStep, AmsgradState, AttentionProblem, DropoutMask, GeluKind, Kernels, Precision,
    WeightLayout, Work, adamw, attention, cross_entropy, dropout, embedding, gelu, linear, norm,
    reduce, rotary, swiglu,
};

use super::case::KernelCase;
use super::shapes::{Sequences, ShapeSet};
use super::tensors::{Place, bytes};
use crate::ceiling::Arithmetic::{self, Bf16, F32, F64};

/// Parameters of a step of an optimizer, by set.
const PARAMETERS: [(ShapeSet, usize); 3] =
    [(ShapeSet::Small, 1_000), (ShapeSet::Model, 10_000_000), (ShapeSet::Large, 50_000_000)];

pub(super) fn cases<B: Kernels>(at: &Place<B>, set: ShapeSet) -> Vec<KernelCase> {
    let s = set.sequences();
    let mut all = Vec::new();
    for arithmetic in at.can([F32, Bf16, F64]) {
        all.extend(linears(at, s, [s.width, s.hidden], arithmetic));
    }
    for arithmetic in [F32, Bf16] {
        for causal in [true, false] {
            all.extend(attentions(at, s, causal, arithmetic));
        }
        all.push(loss(at, s, arithmetic));
    }
    all.extend(norms(at, s));
    all.extend(rows_of_tokens(at, s));
    all.extend(activations(at, s));
    let parameters = PARAMETERS.iter().find(|(of, _)| *of == set).map_or(0, |(_, count)| *count);
    all.extend(updates(at, parameters));
    all
}

fn precision(arithmetic: Arithmetic) -> Precision {
    if arithmetic == Bf16 { Precision::Bf16Mixed } else { Precision::Full }
}

fn linears<B: Kernels>(
    at: &Place<B>,
    s: Sequences,
    [i, o]: [usize; 2],
    arithmetic: Arithmetic,
) -> Vec<KernelCase> {
    let (tokens, size, precision) = (s.tokens(), bytes(arithmetic), precision(arithmetic));
    let case = |operation, work, prepare: fn(&Place<B>, [usize; 3], Arithmetic, Precision) -> _| {
        let shape = format!("{tokens} x {i} x {o}");
        KernelCase::new(at, ["linear", operation], shape, arithmetic, work, move |at| {
            prepare(at, [tokens, i, o], arithmetic, precision)
        })
    };
    let one = linear::roofline::forward(tokens, i, o, size);
    vec![
        case("forward", one, |at, [n, i, o], arithmetic, precision| {
            let (x, w) = (at.normal([n, i], arithmetic), at.normal([o, i], arithmetic));
            Box::new(move || {
                let layout = WeightLayout::OutIn;
                black_box(linear::linear(x.clone(), w.clone(), None, layout, precision));
            })
        }),
        case("input_backward", one, |at, [n, i, o], arithmetic, precision| {
            let (g, w) = (at.normal([n, o], arithmetic), at.normal([o, i], arithmetic));
            Box::new(move || {
                let (g, w) = (g.clone(), w.clone());
                let layout = WeightLayout::OutIn;
                black_box(linear::linear_input_backward(g, w, layout, precision));
            })
        }),
        case("weight_backward", one, |at, [n, i, o], arithmetic, precision| {
            let (g, x) = (at.normal([n, o], arithmetic), at.normal([n, i], arithmetic));
            Box::new(move || {
                let (g, x) = (g.clone(), x.clone());
                let layout = WeightLayout::OutIn;
                black_box(linear::linear_weight_backward(g, x, layout, precision));
            })
        }),
    ]
}

fn attentions<B: Kernels>(
    at: &Place<B>,
    s: Sequences,
    causal: bool,
    arithmetic: Arithmetic,
) -> Vec<KernelCase> {
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
    let tensors =
        move |at: &Place<B>| [0; 4].map(|_: u8| at.normal([tokens, heads, width], arithmetic));
    let (first, second) = (problem.clone(), problem);
    vec![
        KernelCase::new(
            at,
            ["attention", "forward"],
            shape.clone(),
            arithmetic,
            work[0],
            move |at| {
                let ([q, k, v, _], problem) = (tensors(at), first.clone());
                Box::new(move || {
                    let (q, k, v) = (q.clone(), k.clone(), v.clone());
                    black_box(attention::attention(q, k, v, &problem));
                })
            },
        ),
        KernelCase::new(at, ["attention", "backward"], shape, arithmetic, work[1], move |at| {
            let ([q, k, v, g], problem) = (tensors(at), second.clone());
            let (o, lse) = attention::attention(q.clone(), k.clone(), v.clone(), &problem);
            Box::new(move || {
                let [g, q, k, v, o] = [&g, &q, &k, &v, &o].map(Clone::clone);
                let lse = lse.clone();
                black_box(attention::attention_backward(g, q, k, v, o, lse, &problem));
            })
        }),
    ]
}

/// The loss with its gradients: what training runs.
fn loss<B: Kernels>(at: &Place<B>, s: Sequences, arithmetic: Arithmetic) -> KernelCase {
    let (tokens, width, vocabulary) = (s.tokens(), s.width, s.vocabulary);
    let shape = format!("{tokens} x {width} x {vocabulary}");
    let size = bytes(arithmetic);
    // Logits are there when their gradients are made: three products, not four.
    let Work { flops, bytes } = cross_entropy::roofline::backward(tokens, width, vocabulary, size);
    let work = Work { flops: flops + 4.0 * (tokens * vocabulary) as f64, bytes };
    let precision = precision(arithmetic);
    KernelCase::new(at, ["cross_entropy", "with_gradients"], shape, arithmetic, work, move |at| {
        let (h, w) =
            (at.normal([tokens, width], arithmetic), at.normal([vocabulary, width], arithmetic));
        let labels = at.ids(tokens, vocabulary);
        Box::new(move || {
            let (h, w, labels) = (h.clone(), w.clone(), labels.clone());
            black_box(cross_entropy::linear_cross_entropy_gradients(h, w, None, labels, precision));
        })
    })
}

fn norms<B: Kernels>(at: &Place<B>, s: Sequences) -> Vec<KernelCase> {
    const EPSILON: f64 = 1e-5;
    let (tokens, width) = (s.tokens(), s.width);
    let shape = format!("{tokens} x {width}");
    let case = |operation, work, prepare: fn(&Place<B>, usize, usize) -> _| {
        KernelCase::new(at, ["norm", operation], shape.clone(), F32, work, move |at| {
            prepare(at, tokens, width)
        })
    };
    vec![
        case("rms_norm", norm::roofline::rms_norm(tokens, width, 4), |at, n, c| {
            let (x, w) = (at.normal([n, c], F32), at.normal([c], F32));
            Box::new(move || {
                black_box(norm::rms_norm(x.clone(), w.clone(), EPSILON));
            })
        }),
        case(
            "rms_norm_backward",
            norm::roofline::rms_norm_backward(tokens, width, 4),
            |at, n, c| {
                let ([x, g], w) = ([0; 2].map(|_: u8| at.normal([n, c], F32)), at.normal([c], F32));
                Box::new(move || {
                    black_box(norm::rms_norm_backward(g.clone(), x.clone(), w.clone(), EPSILON));
                })
            },
        ),
        case("layer_norm", norm::roofline::layer_norm(tokens, width, 4), |at, n, c| {
            let (x, [w, b]) = (at.normal([n, c], F32), [0; 2].map(|_: u8| at.normal([c], F32)));
            Box::new(move || {
                let (x, w, b) = (x.clone(), w.clone(), b.clone());
                black_box(norm::layer_norm(x, w, b, EPSILON));
            })
        }),
        case(
            "layer_norm_backward",
            norm::roofline::layer_norm_backward(tokens, width, 4),
            |at, n, c| {
                let ([x, g], w) = ([0; 2].map(|_: u8| at.normal([n, c], F32)), at.normal([c], F32));
                Box::new(move || {
                    black_box(norm::layer_norm_backward(g.clone(), x.clone(), w.clone(), EPSILON));
                })
            },
        ),
    ]
}

fn rows_of_tokens<B: Kernels>(at: &Place<B>, s: Sequences) -> Vec<KernelCase> {
    let (tokens, heads, width) = (s.tokens(), s.heads, s.head_width());
    let work = rotary::roofline::forward(tokens, heads, width, 4);
    let shape = format!("{tokens} h{heads} d{width}");
    let rotary = KernelCase::new(at, ["rotary", "forward"], shape, F32, work, move |at| {
        let x = at.normal([tokens, heads, width], F32);
        let [cos, sin] = [0; 2].map(|_: u8| at.normal([tokens, width / 2], F32));
        Box::new(move || {
            black_box(rotary::rotary(x.clone(), cos.clone(), sin.clone()));
        })
    });
    let (width, vocabulary) = (s.width, s.vocabulary);
    let shape = format!("{tokens} x {width} of {vocabulary}");
    let work = embedding::roofline::forward(tokens, width, 4);
    let lookup =
        KernelCase::new(at, ["embedding", "forward"], shape.clone(), F32, work, move |at| {
            let (table, ids) = (at.normal([vocabulary, width], F32), at.ids(tokens, vocabulary));
            Box::new(move || {
                black_box(embedding::embedding(table.clone(), ids.clone()));
            })
        });
    let work = embedding::roofline::backward(tokens, width, vocabulary, 4);
    let gradient = KernelCase::new(at, ["embedding", "backward"], shape, F32, work, move |at| {
        let (grad, ids) = (at.normal([tokens, width], F32), at.ids(tokens, vocabulary));
        Box::new(move || {
            let (grad, ids) = (grad.clone(), ids.clone());
            black_box(embedding::embedding_backward(grad, ids, vocabulary));
        })
    });
    vec![rotary, lookup, gradient]
}

fn activations<B: Kernels>(at: &Place<B>, s: Sequences) -> Vec<KernelCase> {
    let (tokens, hidden) = (s.tokens(), s.hidden);
    let count = tokens * hidden;
    let case = |names, work, prepare: fn(&Place<B>, [usize; 2]) -> _| {
        let shape = format!("{tokens} x {hidden}");
        KernelCase::new(at, names, shape, F32, work, move |at| prepare(at, [tokens, hidden]))
    };
    let erf = GeluKind::Erf;
    vec![
        case(["swiglu", "forward"], swiglu::roofline::forward(count, 4), |at, shape| {
            let [gate, up] = [0; 2].map(|_: u8| at.normal(shape, F32));
            Box::new(move || {
                black_box(swiglu::swiglu(gate.clone(), up.clone()));
            })
        }),
        case(["swiglu", "backward"], swiglu::roofline::backward(count, 4), |at, shape| {
            let [g, gate, up] = [0; 3].map(|_: u8| at.normal(shape, F32));
            Box::new(move || {
                black_box(swiglu::swiglu_backward(g.clone(), gate.clone(), up.clone()));
            })
        }),
        case(["gelu", "forward_erf"], gelu::roofline::forward(count, erf, 4), |at, shape| {
            let x = at.normal(shape, F32);
            Box::new(move || {
                black_box(gelu::gelu(x.clone(), GeluKind::Erf));
            })
        }),
        case(["gelu", "backward_erf"], gelu::roofline::backward(count, erf, 4), |at, shape| {
            let [g, x] = [0; 2].map(|_: u8| at.normal(shape, F32));
            Box::new(move || {
                black_box(gelu::gelu_backward(g.clone(), x.clone(), GeluKind::Erf));
            })
        }),
        case(["dropout", "forward"], dropout::roofline::forward(count, 4), |at, shape| {
            let (x, mask) = (at.normal(shape, F32), DropoutMask { rate: 0.1, key: 1, index: 2 });
            Box::new(move || {
                black_box(dropout::dropout(x.clone(), &mask));
            })
        }),
    ]
}

/// What the optimizer does to flat buffers, in place as in training.
fn updates<B: Kernels>(at: &Place<B>, parameters: usize) -> Vec<KernelCase> {
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
    let buffers = move |at: &Place<B>| [0; 4].map(|_: u8| at.normal([parameters], F32).abs());
    vec![
        KernelCase::new(
            at,
            ["adamw", "adamw"],
            shape.clone(),
            F32,
            adamw::roofline::step(parameters, 4),
            move |at| {
                let [param, grad, first, second] = buffers(at);
                let mut state = Some((param, first, second));
                Box::new(move || {
                    if let Some((param, first, second)) = state.take() {
                        state = Some(adamw::adamw(param, grad.clone(), first, second, &step));
                    }
                })
            },
        ),
        KernelCase::new(
            at,
            ["adamw", "amsgrad"],
            shape.clone(),
            F32,
            adamw::roofline::amsgrad(parameters, 4),
            move |at| {
                let [param, grad, first, second] = buffers(at);
                let largest = second.clone().mul_scalar(2.0);
                let mut state = Some(AmsgradState { param, first, second, largest });
                Box::new(move || {
                    state = state.take().map(|state| adamw::amsgrad(state, grad.clone(), &step));
                })
            },
        ),
        KernelCase::new(
            at,
            ["reduce", "sum_of_squares"],
            shape,
            F32,
            reduce::roofline::sum_of_squares(parameters, 4),
            move |at| {
                let x = at.normal([parameters], F32);
                Box::new(move || {
                    black_box(reduce::sum_of_squares(x.clone()));
                })
            },
        ),
    ]
}
