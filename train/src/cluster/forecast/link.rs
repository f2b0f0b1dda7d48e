//! What lies between ranks: a latency and a bandwidth, by name or by numbers.

use std::str::FromStr;

use serde::Serialize;

/// A link, as a message of `S` bytes sees it: it is there after `latency + S / bandwidth`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Link {
    /// Until a message of no length is there.
    pub latency_s: f64,
    /// Each way.
    pub bytes_per_s: f64,
}

/// Name, microseconds, GB/s each way.
type Named = (&'static str, f64, f64);

/// Nine tenths of nominal bandwidths, and latencies of messages as MPI and NCCL usually have them; of `NVLink`, what
/// `nccl-tests` report as bus bandwidth of eight GPUs (240 and 470 GB/s). Guides, not measurements: those are
/// what `genesis preflight` prints.
const LINKS: [Named; 17] = [
    ("1gbe", 50.0, 0.112),
    ("10gbe", 30.0, 1.12),
    ("25gbe", 25.0, 2.8),
    ("100gbe", 20.0, 11.2),
    ("200gbe", 15.0, 22.5),
    ("400gbe", 12.0, 45.0),
    ("edr100", 1.5, 11.2),
    ("hdr100", 1.3, 11.2),
    ("hdr200", 1.3, 22.5),
    ("ndr200", 1.2, 22.5),
    ("ndr400", 1.2, 45.0),
    ("opa100", 1.3, 11.2),
    ("slingshot200", 2.0, 22.5),
    ("pcie4", 5.0, 22.0),
    ("pcie5", 5.0, 44.0),
    ("nvlink3", 5.0, 240.0),
    ("nvlink4", 5.0, 470.0),
];

/// Between processes of one host, through its memory.
pub const SHARED_MEMORY: Link = Link { latency_s: 1e-6, bytes_per_s: 5e9 };

impl FromStr for Link {
    type Err = String;

    /// `hdr200`, or a latency and a bandwidth: `25us:1.2GB/s`, `1.5us:200Gb/s`.
    fn from_str(text: &str) -> Result<Self, String> {
        let small = text.trim().to_lowercase();
        if let Some((_, us, gb)) = LINKS.iter().find(|(name, ..)| *name == small) {
            return Ok(Self { latency_s: us * 1e-6, bytes_per_s: gb * 1e9 });
        }
        let Some((latency, bandwidth)) = text.trim().split_once(':') else {
            let names: Vec<&str> = LINKS.iter().map(|(name, ..)| *name).collect();
            return Err(format!(
                "{text:?} is no link: write LATENCY:BANDWIDTH, such as 25us:1.2GB/s, or one of {}",
                names.join(", ")
            ));
        };
        let latency_s = value(latency, &[("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3), ("s", 1.0)])
            .ok_or_else(|| format!("{latency:?} is no latency: write 500ns, 1.5us or 0.2ms"))?;
        let bandwidth = bandwidth.trim();
        let bytes_per_s = value(bandwidth.strip_suffix("/s").unwrap_or(bandwidth), &RATES)
            .ok_or_else(|| {
                format!("{bandwidth:?} is no bandwidth: write 1.2GB/s (bytes) or 10Gb/s (bits)")
            })?;
        if bytes_per_s > 0.0 {
            return Ok(Self { latency_s, bytes_per_s });
        }
        Err(format!("{bandwidth:?}: a bandwidth must be above 0"))
    }
}

/// Longer units first: `B` ends `GB`.
const RATES: [(&str, f64); 12] = [
    ("GiB", 1_073_741_824.0),
    ("MiB", 1_048_576.0),
    ("TB", 1e12),
    ("GB", 1e9),
    ("MB", 1e6),
    ("kB", 1e3),
    ("Tb", 0.125e12),
    ("Gb", 0.125e9),
    ("Mb", 0.125e6),
    ("kb", 0.125e3),
    ("B", 1.0),
    ("b", 0.125),
];

/// A number that is not negative with one of these units.
fn value(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let (number, size) =
        units.iter().find_map(|(unit, size)| Some((text.trim().strip_suffix(unit)?, size)))?;
    let number: f64 = number.trim().parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number * size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (f64, f64) {
        let link: Link = text.parse().unwrap();
        (link.latency_s * 1e6, link.bytes_per_s * 1e-9)
    }

    fn is(text: &str, us: f64, gb: f64) {
        let found = of(text);
        assert!((found.0 - us).abs() < 1e-9 * us.max(1.0), "{text}: {found:?}");
        assert!((found.1 - gb).abs() < 1e-9 * gb, "{text}: {found:?}");
    }

    #[test]
    fn bits_and_bytes_are_told_apart_and_names_are_known() {
        is("25us:1.2GB/s", 25.0, 1.2);
        is("1.5us:200Gb/s", 1.5, 25.0);
        is("0.2ms : 100 Mb/s", 200.0, 0.0125);
        is("500ns:1GiB", 0.5, 1.073_741_824);
        is("0s:8kb/s", 0.0, 1e-6);
        is("HDR200", 1.3, 22.5);
    }

    #[test]
    fn what_is_no_link_is_refused_with_what_is() {
        for (text, part) in [
            ("infiniband", "hdr200"),
            ("5:1GB/s", "no latency"),
            ("5us:100", "no bandwidth"),
            ("5us:0GB/s", "above 0"),
            ("-5us:1GB/s", "no latency"),
            ("5us:nanGB/s", "no bandwidth"),
        ] {
            let error = text.parse::<Link>().unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
