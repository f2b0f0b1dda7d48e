//! Names the operations of Burn that Genesis uses on a GPU, so that they are compiled in this crate.
//!
//! Builds that share generic code between crates (all but optimised ones) find them here. An
//! operation that is missing works all the same: the crates that use it compile it.

use burn::tensor::backend::Backend;

/// Addresses of operations; to name an operation is to compile it.
macro_rules! addresses {
    ($backend:ident: $($operation:ident)+) => { [$($backend::$operation as *const ()),+] };
}

fn floats<B: Backend>() -> impl AsRef<[*const ()]> {
    addresses! { B:
        float_from_data float_random float_zeros float_ones float_full float_into_data float_into_int float_empty
        float_repeat_dim float_add float_add_scalar float_clamp float_clamp_min float_clamp_max float_sub
        float_sub_scalar float_mul float_mul_scalar float_div float_div_scalar float_matmul float_neg
        float_recip float_transpose float_swap_dims float_permute float_reshape float_gather float_scatter_add
        float_select float_select_add float_slice float_slice_assign float_mask_where float_mask_fill
        float_equal float_equal_elem float_not_equal_elem float_greater float_greater_elem float_greater_equal
        float_greater_equal_elem float_lower float_lower_elem float_lower_equal float_lower_equal_elem
        float_sum float_sum_dim float_mean float_mean_dim float_cast float_exp float_log float_log1p
        float_powf float_powi float_powi_scalar float_powf_scalar float_sqrt float_abs float_cos
        float_sin float_tanh float_round float_floor float_erf float_cat float_max float_max_dim
        float_max_dim_with_indices float_min float_min_dim float_any float_all float_sign float_expand
        float_is_nan float_is_inf
    }
}

fn quantised<B: Backend>() -> impl AsRef<[*const ()]> {
    addresses! { B:
        quantize quantize_dynamic dequantize q_into_data q_device q_reshape q_expand q_transpose q_swap_dims
        q_permute q_select q_slice q_gather q_repeat_dim q_add q_add_scalar q_clamp q_clamp_min q_clamp_max
        q_sub q_sub_scalar q_mul q_mul_scalar q_div q_div_scalar q_matmul q_neg q_recip q_sum q_sum_dim
        q_mean q_mean_dim q_exp q_log q_log1p q_powf q_powi q_powi_scalar q_powf_scalar q_sqrt q_abs
        q_cos q_sin q_tanh q_erf q_cat q_max q_max_dim q_max_dim_with_indices q_min q_min_dim q_any q_all
    }
}

fn integers_and_masks<B: Backend>() -> impl AsRef<[*const ()]> {
    addresses! { B:
        int_empty int_into_data int_from_data int_reshape int_slice int_slice_assign int_into_float
        int_mask_where int_mask_fill int_gather int_select int_select_add int_repeat_dim int_cat int_equal
        int_equal_elem int_not_equal_elem int_greater int_greater_elem int_greater_equal_elem int_lower
        int_lower_elem int_lower_equal_elem int_add int_add_scalar int_sub int_sub_scalar int_mul
        int_mul_scalar int_zeros int_ones int_full int_sum int_sum_dim int_max int_min int_transpose
        int_swap_dims int_permute int_arange int_expand int_cast
        bool_empty bool_into_data bool_from_data bool_into_int bool_into_float bool_reshape bool_slice
        bool_mask_where bool_mask_fill bool_select bool_cat bool_equal bool_not bool_and bool_or
        bool_transpose bool_swap_dims bool_permute bool_any bool_all bool_expand
        relu relu_backward gelu gelu_backward sigmoid sigmoid_backward softmax log_softmax
        embedding embedding_backward
    }
}

fn all<B: Backend>() -> usize {
    let count = |of: &[*const ()]| std::hint::black_box(of).len();
    count(floats::<B>().as_ref())
        + count(quantised::<B>().as_ref())
        + count(integers_and_masks::<B>().as_ref())
}

/// How many operations are compiled here for CUDA.
#[cfg(feature = "cuda")]
pub fn for_cuda() -> usize {
    all::<crate::Cuda>()
}

/// How many operations are compiled here for wgpu.
#[cfg(feature = "wgpu")]
pub fn for_wgpu() -> usize {
    all::<crate::Wgpu>()
}
