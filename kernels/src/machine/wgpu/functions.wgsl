// functions.wgsl: the functions of formulas. Put before the text of elementwise kernels.
//
// tanh and erf are made of exp, whose error WGSL bounds far below that of its tanh.
// erf       |a| < 1: a + a s(a^2); beyond: 1 - exp(-|a| l(|a|)); s and l as in cpu/functions

fn logistic(a: f32) -> f32 {
    // Beyond 88 the exponential is no number of f32; the quotient is subnormal there.
    return 1.0 / (1.0 + exp(min(-a, 88.0)));
}

fn tanh_by_exp(u: f32) -> f32 {
    let e = exp(-2.0 * abs(u));
    let t = (1.0 - e) / (1.0 + e);
    return select(t, -t, u < 0.0);
}

// 1 - tanh(u)^2, without the difference of what is nearly one.
fn tanh_slope(u: f32, tanh_of_u: f32) -> f32 {
    let e = exp(-2.0 * abs(u));
    return 4.0 * e / ((1.0 + e) * (1.0 + e));
}

fn erf(a: f32) -> f32 {
    let size = min(abs(a), 4.0); // erf 4 rounds to 1
    let square = size * size;
    var s = 7.889119e-5;
    s = s * square - 8.0208457e-4;
    s = s * square + 5.1895366e-3;
    s = s * square - 2.6854447e-2;
    s = s * square + 1.12836e-1;
    s = s * square - 3.7612626e-1;
    s = s * square + 1.2837917e-1;
    var l = 1.3962273e-5;
    l = l * size - 3.505903e-4;
    l = l * size + 3.7574698e-3;
    l = l * size - 2.4010053e-2;
    l = l * size + 1.0653085e-1;
    l = l * size + 6.349695e-1;
    l = l * size + 1.1286943;
    let value = select(1.0 - exp(-size * l), size + size * s, size < 1.0);
    return select(value, -value, a < 0.0);
}
