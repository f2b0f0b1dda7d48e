//! The order of samples: a bijection, pinned for ever, well mixed, and free of memory.

#![expect(clippy::unwrap_used, reason = "a set-up that fails is a test that fails")]

use genesis_data::dataset::feistel::Feistel;
use genesis_data::dataset::order::Order;
use genesis_schema::{Seeds, Stream};

/// Ones, powers of two and their neighbours, primes, squares and their neighbours.
const SIZES: [u64; 22] =
    [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 63, 64, 65, 127, 257, 1023, 1024, 1025, 4096, 7919, 10007];

fn stream() -> Stream {
    Seeds::new(1).stream("loader/order")
}

fn is_bijection(n: u64, map: impl Fn(u64) -> u64) -> bool {
    let mut seen = vec![false; usize::try_from(n).unwrap()];
    (0..n).all(|x| {
        let y = usize::try_from(map(x)).unwrap();
        y < seen.len() && !std::mem::replace(&mut seen[y], true)
    })
}

#[test]
fn feistel_is_a_bijection_with_an_exact_inverse_for_every_size() {
    for n in SIZES.into_iter().chain(1..200) {
        for key in [0, 1, u64::MAX] {
            let feistel = Feistel::new(n, key);
            assert!(is_bijection(n, |x| feistel.forward(x)), "n = {n}, key {key}");
            assert!((0..n).all(|x| feistel.inverse(feistel.forward(x)) == x), "n = {n}");
        }
    }
}

#[test]
fn feistel_stays_inside_domains_of_the_largest_size() {
    for n in [1 << 62, (1 << 62) - 1, (1 << 61) + 1] {
        let feistel = Feistel::new(n, 5);
        for x in [0, 1, n / 2, n - 1] {
            assert_eq!(feistel.inverse(feistel.forward(x)), x);
        }
    }
}

#[test]
fn every_sample_is_visited_once_per_epoch_for_any_size_of_block_and_window() {
    for n in SIZES.into_iter().chain(1..40) {
        for (block, window) in [(1, 1), (1, 7), (4, 1), (4, 3), (64, 4096), (8, 16)] {
            for epoch in 0..3 {
                let order = Order::with_sizes(n, stream(), epoch, block, window);
                assert!(is_bijection(n, |k| order.at(k)), "n {n} block {block} window {window}");
            }
        }
    }
}

#[test]
fn the_order_is_pinned_by_golden_vectors() {
    let feistel = Feistel::new(10_000_019, 42);
    let got: Vec<u64> = [0, 1, 2, 5_000_000, 10_000_018].map(|x| feistel.forward(x)).into();
    assert_eq!(got, FEISTEL_GOLDEN);
    let small: Vec<u64> = (0..10).map(|k| Order::new(10, stream(), 0).at(k)).collect();
    assert_eq!(small, SMALL_GOLDEN);
    let order = Order::new(1_000_000_000, stream(), 3);
    let large: Vec<u64> = [0, 1, 2, 300_000, 999_999_999].map(|k| order.at(k)).into();
    assert_eq!(large, LARGE_GOLDEN);
    let order = Order::with_sizes(1003, stream(), 3, 8, 5);
    let short: Vec<u64> = [0, 1, 2, 39, 40, 500, 1002].map(|k| order.at(k)).into();
    assert_eq!(short, SHORT_BLOCK_GOLDEN);
}

// Computed by an independent program with integers of any size that lists every block instead of
// using the closed form. They must never change: old runs resume with them.
const FEISTEL_GOLDEN: [u64; 5] = [7_576_573, 8_089_671, 6_813_344, 4_063_898, 5_437_824];
const SMALL_GOLDEN: [u64; 10] = [4, 9, 5, 3, 6, 2, 8, 1, 7, 0];
const LARGE_GOLDEN: [u64; 5] = [751_056_626, 395_935_575, 583_580_887, 740_996_186, 395_232_318];
const SHORT_BLOCK_GOLDEN: [u64; 7] = [447, 437, 587, 890, 25, 166, 945];

#[test]
fn neighbours_in_the_order_are_as_far_apart_as_by_chance() {
    // A dataset of one window; the mean distance of two random places is n / 3.
    let n = 200_000;
    let order = Order::new(n, stream(), 0);
    let places: Vec<u64> = (0..n).map(|k| order.at(k)).collect();
    let total: f64 = places.windows(2).map(|p| p[0].abs_diff(p[1]) as f64).sum();
    let ratio = total / (n - 1) as f64 / (n as f64 / 3.0);
    // The distance has a standard deviation of n / sqrt(18), so the ratio one of 1 / sqrt(2 n).
    assert!((ratio - 1.0).abs() < 4.0 / (2.0 * n as f64).sqrt(), "ratio {ratio}");
}

#[test]
fn each_sample_of_a_small_set_reaches_each_place_equally_often() {
    let (n, epochs) = (6u64, 6000u64);
    let mut hits = [[0f64; 6]; 6];
    for epoch in 0..epochs {
        let order = Order::new(n, stream(), epoch);
        for k in 0..n {
            hits[usize::try_from(k).unwrap()][usize::try_from(order.at(k)).unwrap()] += 1.0;
        }
    }
    let expected = epochs as f64 / n as f64;
    let chi_squared: f64 = hits.iter().flatten().map(|h| (h - expected).powi(2) / expected).sum();
    // 25 degrees of freedom: mean 25, standard deviation sqrt(50).
    assert!(chi_squared < 25.0 + 5.0 * 50f64.sqrt(), "chi squared {chi_squared}");
}

#[test]
fn a_window_draws_its_samples_from_the_whole_dataset() {
    let (n, block, window) = (1 << 20, 64, 256);
    let order = Order::with_sizes(n, stream(), 0, block, window);
    let quarter = |k| order.at(k) / (n / 4);
    let mut counts = [0u32; 4];
    for k in 0..block * window {
        counts[usize::try_from(quarter(k)).unwrap()] += 1;
    }
    // 256 blocks over four quarters: 64 each, standard deviation 7 blocks.
    assert!(counts.iter().all(|&c| (36 * 64..=92 * 64).contains(&c)), "{counts:?}");
}

#[test]
fn epochs_and_seeds_have_different_orders() {
    let first = |seed: u64, epoch| -> Vec<u64> {
        let order = Order::new(1000, Seeds::new(seed).stream("loader/order"), epoch);
        (0..20).map(|k| order.at(k)).collect()
    };
    assert_ne!(first(1, 0), first(1, 1));
    assert_ne!(first(1, 0), first(2, 0));
    assert_eq!(first(1, 7), first(1, 7));
}

#[cfg(target_os = "linux")]
#[test]
fn a_thousand_million_samples_are_ordered_without_memory() {
    let resident_pages = || -> u64 {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap();
        text.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let draw = |from: u64| {
        let order = Order::new(1_000_000_000, stream(), 0);
        (from..from + 500_000).map(|k| order.at(k)).fold(0u64, u64::wrapping_add)
    };
    let mut sum = draw(0);
    let before = resident_pages();
    sum = sum.wrapping_add(draw(400_000_000));
    let after = resident_pages();
    assert_ne!(sum, 0);
    // Other tests of this binary run at the same time; 16 MiB is 500 times below an index.
    assert!(after < before + 4096, "{before} pages grew to {after}");
}
