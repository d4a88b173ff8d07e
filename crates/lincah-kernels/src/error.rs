//! Why a device can't be had.

use std::any::Any;
use std::error::Error;
use std::fmt;

/// How the message begins with which an operation panics once its device is lost: it has no other way to say so.
pub(crate) const DEVICE_FAILED: &str = "the CUDA device failed";

/// Why there is no CUDA device.
#[derive(Debug)]
#[non_exhaustive]
pub enum CudaError {
    /// The feature `cuda` is off.
    NotBuilt {
        /// The device that was asked for.
        ordinal: usize,
    },
    /// A shared library that is not there.
    NoLibrary {
        /// What the library does.
        library: &'static str,
        /// How to get it.
        hint: &'static str,
    },
    /// A number behind the last device's.
    NoDevice {
        /// The device that was asked for.
        ordinal: usize,
        /// How many there are.
        count: usize,
    },
    /// bfloat16 on a GPU that has no units for it.
    NoBf16 {
        /// The device that was asked for.
        ordinal: usize,
        /// Its compute capability.
        capability: (i32, i32),
    },
    /// A device that failed in the midst of its work.
    Lost {
        /// What it panicked with.
        message: String,
    },
    /// What the driver, cuBLASLt or NVRTC refused.
    Failed {
        /// The device that was asked for.
        ordinal: usize,
        /// What was tried.
        action: &'static str,
        /// The answer.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl CudaError {
    /// The loss of a device that an operation panicked with, if it was that.
    pub fn of_panic(panic: &(dyn Any + Send)) -> Option<Self> {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied())?;
        text.starts_with(DEVICE_FAILED).then(|| Self::Lost { message: text.to_owned() })
    }
}

impl fmt::Display for CudaError {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::NotBuilt { ordinal } => {
                write!(formatter, "no CUDA device {ordinal}: this lincah was built without CUDA; build it with --features cuda")
            }
            Self::NoLibrary { library, hint } => write!(formatter, "no CUDA device: {library} is not on this machine; {hint}"),
            Self::NoDevice { ordinal, count: 0 } => {
                write!(formatter, "no CUDA device {ordinal}: the driver shows none; compute with --device cpu")
            }
            Self::NoDevice { ordinal, count } => {
                write!(
                    formatter,
                    "no CUDA device {ordinal}: the driver shows {count}, numbered from 0; the first is --device cuda:0"
                )
            }
            Self::NoBf16 { ordinal, capability: (major, minor) } => {
                write!(
                    formatter,
                    "CUDA device {ordinal} has no bf16: its compute capability is {major}.{minor}, not 8.0 or more; pass --precision f32"
                )
            }
            Self::Lost { message } => formatter.write_str(message),
            Self::Failed { ordinal, action, source } => {
                write!(formatter, "CUDA device {ordinal} can't be used: to {action} failed: {source}; see what nvidia-smi says")
            }
        }
    }
}

impl Error for CudaError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed { source, .. } => Some(&**source),
            Self::NotBuilt { .. } | Self::NoLibrary { .. } | Self::NoDevice { .. } | Self::NoBf16 { .. } | Self::Lost { .. } => {
                None
            }
        }
    }
}
