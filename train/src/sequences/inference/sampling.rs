//! From logits to the next token: temperature, then top-k, then top-p, then one uniform number.
//!
//! Pure functions of host values. The order of the filters is that of transformers; ties are
//! broken towards the lower id, so that a seed means the same everywhere.

use super::error::InferenceError;

/// How a token is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Divides the logits; 0 takes the likeliest token.
    pub temperature: f64,
    /// Keep only this many likeliest tokens.
    pub top_k: Option<usize>,
    /// Keep the smallest set of likeliest tokens whose probabilities reach this sum.
    pub top_p: Option<f64>,
}

impl Sampling {
    /// Checks the ranges: temperature at least 0, `top_k` at least 1, `top_p` in `(0, 1]`.
    ///
    /// # Errors
    /// [`InferenceError::Option`] naming the first value outside.
    pub fn validate(&self) -> Result<(), InferenceError> {
        let problem =
            |option, value: String, because| Err(InferenceError::Option { option, value, because });
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            let because = "must be a number of at least 0; 0 always takes the likeliest token";
            return problem("temperature", self.temperature.to_string(), because);
        }
        if self.top_k == Some(0) {
            return problem(
                "top_k",
                "0".to_owned(),
                "must be at least 1; leave it out to keep all",
            );
        }
        match self.top_p {
            Some(p) if !(p > 0.0 && p <= 1.0) => {
                problem("top_p", p.to_string(), "must lie in (0, 1]; leave it out to keep all")
            }
            _ => Ok(()),
        }
    }

    /// Tokens that can be drawn with their probabilities, likeliest first; they sum to 1. A logit of
    /// minus infinity stands for a token that cannot be.
    pub fn distribution(&self, logits: &[f32]) -> Vec<(u32, f64)> {
        let possible = logits.iter().map(|&x| f64::from(x));
        let mut ranked: Vec<(u32, f64)> =
            (0u32..).zip(possible).filter(|(_, logit)| *logit > f64::NEG_INFINITY).collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        if self.temperature == 0.0 {
            ranked.truncate(1);
        } else {
            ranked.truncate(self.top_k.unwrap_or(usize::MAX));
        }
        soften(&mut ranked, self.temperature);
        if let Some(top_p) = self.top_p {
            ranked.truncate(nucleus(&ranked, top_p));
            normalise(&mut ranked);
        }
        ranked
    }

    /// The token that `uniform`, in `[0, 1)`, falls on.
    pub fn pick(&self, logits: &[f32], uniform: f64) -> u32 {
        let distribution = self.distribution(logits);
        let mut reached = 0.0;
        for (token, probability) in &distribution {
            reached += probability;
            if uniform < reached {
                return *token;
            }
        }
        // The sum can fall short of 1 by rounding.
        distribution.last().map_or(0, |(token, _)| *token)
    }
}

/// Logits, largest first, to probabilities at `temperature`.
fn soften(ranked: &mut [(u32, f64)], temperature: f64) {
    let Some(&(_, largest)) = ranked.first() else { return };
    for (_, value) in ranked.iter_mut() {
        // With temperature 0 one token is left, and its difference to itself is 0.
        let scaled = (*value - largest) / if temperature == 0.0 { 1.0 } else { temperature };
        *value = scaled.exp();
    }
    normalise(ranked);
}

fn normalise(ranked: &mut [(u32, f64)]) {
    let sum: f64 = ranked.iter().map(|(_, value)| value).sum();
    for (_, value) in ranked {
        *value /= sum;
    }
}

/// Length of the shortest prefix whose sum reaches `top_p`.
fn nucleus(ranked: &[(u32, f64)], top_p: f64) -> usize {
    let mut reached = 0.0;
    for (index, (_, probability)) in ranked.iter().enumerate() {
        reached += probability;
        if reached >= top_p {
            return index + 1;
        }
    }
    ranked.len()
}

/// `log softmax(logits)[token]`, in nats, summed in f64.
pub fn log_probability(logits: &[f32], token: usize) -> f64 {
    f64::from(logits[token]) - log_sum_exp(logits)
}

/// `log sum exp(logits)`, in f64.
pub fn log_sum_exp(logits: &[f32]) -> f64 {
    let largest = logits.iter().fold(f64::NEG_INFINITY, |most, &x| most.max(f64::from(x)));
    largest + logits.iter().map(|&x| (f64::from(x) - largest).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use genesis_schema::Seeds;

    const LOGITS: [f32; 5] = [1.0, 3.0, 2.0, 3.0, -1.0];

    fn sampling(temperature: f64, top_k: Option<usize>, top_p: Option<f64>) -> Sampling {
        Sampling { temperature, top_k, top_p }
    }

    fn support(sampling: Sampling) -> Vec<u32> {
        sampling.distribution(&LOGITS).into_iter().map(|(token, _)| token).collect()
    }

    #[test]
    fn temperature_zero_takes_the_likeliest_token_and_the_lower_id_of_a_tie() {
        for uniform in [0.0, 0.5, 0.999_999] {
            assert_eq!(sampling(0.0, None, None).pick(&LOGITS, uniform), 1);
        }
    }

    #[test]
    fn top_k_keeps_exactly_k_tokens_even_across_a_tie() {
        assert_eq!(support(sampling(1.0, Some(1), None)), [1]);
        assert_eq!(support(sampling(1.0, Some(3), None)), [1, 3, 2]);
        assert_eq!(support(sampling(1.0, Some(99), None)), [1, 3, 2, 0, 4]);
    }

    #[test]
    fn top_p_keeps_the_smallest_set_that_reaches_p() {
        // Probabilities over e^3 + e^3 + e^2 + e + 1/e: 0.397, 0.397, 0.146, 0.0537, 0.0073.
        assert_eq!(support(sampling(1.0, None, Some(0.39))), [1]);
        assert_eq!(support(sampling(1.0, None, Some(0.5))), [1, 3]);
        assert_eq!(support(sampling(1.0, None, Some(0.80))), [1, 3, 2]);
        assert_eq!(support(sampling(1.0, None, Some(1.0))).len(), 5);
        assert_eq!(support(sampling(1.0, Some(2), Some(0.9))), [1, 3]);
    }

    #[test]
    fn draws_follow_the_softmax_at_the_temperature() {
        let sampling = sampling(0.7, None, None);
        let stream = Seeds::new(9).stream("test");
        let n = 20_000u64;
        let mut counts = [0u64; 5];
        for lane in 0..n {
            counts[sampling.pick(&LOGITS, stream.uniform(0, lane)) as usize] += 1;
        }
        let weights = LOGITS.map(|x| (f64::from(x) / 0.7).exp());
        let sum: f64 = weights.iter().sum();
        for (count, weight) in counts.iter().zip(weights) {
            let p = weight / sum;
            // Five standard errors of a binomial proportion.
            let bound = 5.0 * (p * (1.0 - p) / n as f64).sqrt();
            assert!((*count as f64 / n as f64 - p).abs() < bound, "{count} of {n}, expected {p}");
        }
    }

    #[test]
    fn probabilities_sum_to_one_after_every_filter() {
        for options in [sampling(1.0, None, None), sampling(2.0, Some(3), Some(0.6))] {
            let sum: f64 = options.distribution(&LOGITS).iter().map(|(_, p)| p).sum();
            assert!((sum - 1.0).abs() < 1e-12, "{sum}");
        }
    }

    #[test]
    fn values_outside_their_range_are_refused_by_name() {
        for (options, name) in [
            (sampling(-1.0, None, None), "temperature"),
            (sampling(f64::NAN, None, None), "temperature"),
            (sampling(1.0, Some(0), None), "top_k"),
            (sampling(1.0, None, Some(0.0)), "top_p"),
            (sampling(1.0, None, Some(1.5)), "top_p"),
        ] {
            let error = options.validate().unwrap_err().to_string();
            assert!(error.starts_with(name), "{error}");
        }
    }

    #[test]
    fn log_probabilities_survive_large_logits() {
        assert!((log_probability(&[1000.0, 1000.0], 0) + 2f64.ln()).abs() < 1e-12);
    }
}
