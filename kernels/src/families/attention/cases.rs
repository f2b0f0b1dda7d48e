//! Documents of one length, causal and not.

use super::{AttentionKernels, AttentionProblem, attention, attention_backward, roofline};
use crate::Precision;
use crate::cases::Arithmetic::{self, Bf16, F32};
use crate::cases::{Case, Place, Sequences, Sizes};

pub(crate) fn cases<B: AttentionKernels>(_: &Place<B>, sizes: &Sizes) -> Vec<Case<B>> {
    let of = |causal| [F32, Bf16].map(|it| both(sizes.sequences, causal, it));
    [true, false].map(of).into_iter().flatten().flatten().collect()
}

fn both<B: AttentionKernels>(s: Sequences, causal: bool, arithmetic: Arithmetic) -> [Case<B>; 2] {
    let starts: Vec<u32> = (0..).step_by(s.context).take(s.batch + 1).collect();
    let scale = (s.head_width() as f64).sqrt().recip();
    let precision = Precision::of(arithmetic);
    let problem = AttentionProblem::packed(&starts, causal, scale, precision);
    let (tokens, heads, width) = (s.tokens(), s.heads, s.head_width());
    let seen = if causal { "causal" } else { "full" };
    let shape = format!("{} x {} h{heads} d{width} {seen}", s.batch, s.context);
    let (sizes, bytes) = ([heads, heads, width], arithmetic.bytes());
    let forward = roofline::forward(&problem, sizes, bytes);
    let backward = roofline::backward(&problem, sizes, bytes);
    let tensors =
        move |at: &Place<B>| [(); 4].map(|()| at.normal([tokens, heads, width], arithmetic));
    let (first, second) = (problem.clone(), problem);
    [
        Case::new("forward", shape.clone(), arithmetic, forward, move |at| {
            let ([q, k, v, _], problem) = (tensors(at), first.clone());
            move || attention(q.clone(), k.clone(), v.clone(), &problem)
        }),
        Case::new("backward", shape, arithmetic, backward, move |at| {
            let ([q, k, v, g], problem) = (tensors(at), second.clone());
            let (o, lse) = attention(q.clone(), k.clone(), v.clone(), &problem);
            move || {
                let [g, q, k, v, o] = [&g, &q, &k, &v, &o].map(Clone::clone);
                attention_backward(g, q, k, v, o, lse.clone(), &problem)
            }
        }),
    ]
}
