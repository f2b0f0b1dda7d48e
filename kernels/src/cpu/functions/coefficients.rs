//! Constants of the functions in f32 and f64; where they come from stands in `mod.rs`. Errors of the
//! polynomials are those before their coefficients are rounded.

/// Constants of the functions in one precision. Polynomials start with the highest power.
pub(crate) trait Coefficients: Sized + 'static {
    const LOG2_E: Self;
    /// The first digits of ln 2, so few that whole numbers times it are exact.
    const LN_2_HIGH: Self;
    /// What is missing to ln 2.
    const LN_2_LOW: Self;
    /// Everything above overflows.
    const EXP_LARGEST: Self;
    /// Everything below rounds to zero.
    const EXP_SMALLEST: Self;
    /// q; its maximum relative error in exp is 2^-27 (f32), 2^-62 (f64).
    const EXP: &'static [Self];
    /// Twice a number whose tanh rounds to one.
    const TANH_FULL: Self;
    /// s; its maximum relative error in erf is 2^-29 (f32), 2^-62 (f64).
    const ERF_SMALL: &'static [Self];
    /// l; its maximum relative error in erf is 2^-31 (f32), 2^-61 (f64).
    const ERF_LARGE: &'static [Self];
    /// A number whose erf rounds to one.
    const ERF_FULL: Self;
}

impl Coefficients for f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    const LN_2_HIGH: f32 = 355.0 / 512.0;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    const EXP_LARGEST: f32 = 89.0;
    const EXP_SMALLEST: f32 = -105.0;
    const EXP: &'static [f32] =
        &[1.394_116_3e-3, 8.363_208e-3, 4.166_637_4e-2, 1.666_657_6e-1, 0.5];
    const TANH_FULL: f32 = 20.0;
    const ERF_SMALL: &'static [f32] = &[
        7.889_119e-5,
        -8.020_845_7e-4,
        5.189_536_6e-3,
        -2.685_444_7e-2,
        1.128_36e-1,
        -3.761_262_6e-1,
        1.283_791_7e-1,
    ];
    const ERF_LARGE: &'static [f32] = &[
        1.396_227_3e-5,
        -3.505_903e-4,
        3.757_469_8e-3,
        -2.401_005_3e-2,
        1.065_308_5e-1,
        6.349_695e-1,
        1.128_694_3,
    ];
    const ERF_FULL: f32 = 4.0;
}

impl Coefficients for f64 {
    const LOG2_E: f64 = std::f64::consts::LOG2_E;
    const LN_2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    const EXP_LARGEST: f64 = 710.0;
    const EXP_SMALLEST: f64 = -746.0;
    const EXP: &'static [f64] = &[
        2.092_162_527_661_532_5e-9,
        2.510_526_092_259_006_2e-8,
        2.755_725_280_625_021e-7,
        2.755_725_529_422_524e-6,
        2.480_158_734_744_942e-5,
        1.984_126_987_490_463_6e-4,
        1.388_888_888_887_435_2e-3,
        8.333_333_333_326_112e-3,
        4.166_666_666_666_668_5e-2,
        1.666_666_666_666_666_9e-1,
        0.5,
    ];
    const TANH_FULL: f64 = 40.0;
    const ERF_SMALL: &'static [f64] = &[
        5.960_685_338_520_971e-11,
        -1.137_495_573_607_015e-9,
        1.466_032_872_274_226e-8,
        -1.635_039_622_286_461_7e-7,
        1.646_100_847_780_27e-6,
        -1.492_559_577_218_090_6e-5,
        1.205_533_113_295_582e-4,
        -8.548_326_981_425_542e-4,
        5.223_977_624_828_431e-3,
        -2.686_617_064_507_787_7e-2,
        1.128_379_167_095_488_5e-1,
        -3.761_263_890_318_375e-1,
        1.283_791_670_955_126e-1,
    ];
    const ERF_LARGE: &'static [f64] = &[
        2.014_434_219_593_146_7e-13,
        -9.966_441_503_060_398e-12,
        2.323_424_421_256_641e-10,
        -3.392_989_061_784_179_6e-9,
        3.478_284_303_783_703_5e-8,
        -2.655_322_258_285_899_6e-7,
        1.559_347_378_966_625_3e-6,
        -7.146_712_083_215_631e-6,
        2.544_807_846_304_628e-5,
        -6.778_318_653_136_828e-5,
        1.170_928_709_639_247_4e-4,
        -3.263_520_893_573_233e-5,
        -5.379_765_757_117_389e-4,
        1.659_455_062_536_096_5e-3,
        -1.891_741_126_353_867_4e-4,
        -1.913_657_423_561_073_6e-2,
        1.027_749_158_546_692e-1,
        6.366_193_612_468_207e-1,
        1.128_379_201_423_718_8,
    ];
    const ERF_FULL: f64 = 6.0;
}
