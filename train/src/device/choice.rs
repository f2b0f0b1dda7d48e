//! Which device a run is computed on, as it is written: `cpu`, `cuda:0`, `wgpu`.
//!
//! Not here: whether there is such a device ([`super::dispatch`]).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where a run is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA GPU through CUDA.
    Cuda {
        /// Its number, as the driver counts.
        ordinal: usize,
    },
    /// A GPU through Vulkan, Metal or DX12.
    Wgpu {
        /// Its number in the list of `genesis doctor`; absent means the one that wgpu prefers.
        ordinal: Option<usize>,
    },
}

impl DeviceChoice {
    /// What may be written; another number may follow a colon.
    pub const ALLOWED: [&'static str; 4] = ["cpu", "cuda:0", "wgpu", "wgpu:0"];

    /// Whether it computes in 64 bits.
    pub fn has_f64(self) -> bool {
        !matches!(self, Self::Wgpu { .. })
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda { ordinal } => write!(f, "cuda:{ordinal}"),
            Self::Wgpu { ordinal: None } => f.write_str("wgpu"),
            Self::Wgpu { ordinal: Some(ordinal) } => write!(f, "wgpu:{ordinal}"),
        }
    }
}

impl JsonSchema for DeviceChoice {
    fn schema_name() -> Cow<'static, str> {
        "DeviceChoice".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": Self::ALLOWED })
    }
}

/// A text that names no device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no device: cpu, cuda (an NVIDIA GPU, cuda:1 the second) or wgpu (a GPU through \
     Vulkan, Metal or DX12, wgpu:1 the second that `genesis doctor` lists)"
)]
pub struct UnknownDevice(String);

impl FromStr for DeviceChoice {
    type Err = UnknownDevice;

    fn from_str(text: &str) -> Result<Self, UnknownDevice> {
        let unknown = || UnknownDevice(text.to_owned());
        let (kind, ordinal) = match text.split_once(':') {
            None => (text, None),
            Some((kind, number)) => {
                let digits = !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit());
                let number = digits.then(|| number.parse().ok()).flatten();
                (kind, Some(number.ok_or_else(unknown)?))
            }
        };
        match (kind, ordinal) {
            ("cpu", None) => Ok(Self::Cpu),
            ("cuda", ordinal) => Ok(Self::Cuda { ordinal: ordinal.unwrap_or(0) }),
            ("wgpu", ordinal) => Ok(Self::Wgpu { ordinal }),
            _ => Err(unknown()),
        }
    }
}

impl Serialize for DeviceChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeviceChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| D::Error::unknown_variant(&text, &Self::ALLOWED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_and_a_missing_number_is_the_first_nvidia_gpu() {
        for text in DeviceChoice::ALLOWED {
            assert_eq!(text.parse::<DeviceChoice>().unwrap().to_string(), text);
        }
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda { ordinal: 0 }));
        assert_eq!("cuda:7".parse(), Ok(DeviceChoice::Cuda { ordinal: 7 }));
        assert_eq!("wgpu".parse(), Ok(DeviceChoice::Wgpu { ordinal: None }));
    }

    #[test]
    fn anything_else_is_refused_with_what_is_allowed() {
        for text in ["", "gpu", "cuda:", "cuda:-1", "cuda:+1", "cuda:1:2", "cpu:0", "CUDA"] {
            let error = text.parse::<DeviceChoice>().unwrap_err().to_string();
            assert!(error.contains("cuda:1 the second"), "{error}");
        }
    }
}
