//! The tensors of a GGUF file: shape, type and place.

use std::ops::Range;

/// How a tensor's numbers are stored, by the names that the file format gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(non_camel_case_types, reason = "the file format's own names")]
pub enum TensorType {
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 half precision.
    F16,
    /// The upper half of an `f32`.
    BF16,
    /// 4 bits, a scale for 32.
    Q4_0,
    /// 4 bits, a scale and a minimum for 32.
    Q4_1,
    /// 5 bits, a scale for 32.
    Q5_0,
    /// 5 bits, a scale and a minimum for 32.
    Q5_1,
    /// 8 bits, a scale for 32.
    Q8_0,
    /// 2 bits in blocks of 256 with nested scales, as the following.
    Q2_K,
    /// 3 bits.
    Q3_K,
    /// 4 bits.
    Q4_K,
    /// 5 bits.
    Q5_K,
    /// 6 bits.
    Q6_K,
}

/// The types that can be read, for messages.
pub(super) const SUPPORTED: &str = "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K and Q6_K";

impl TensorType {
    pub(super) fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            10 => Self::Q2_K,
            11 => Self::Q3_K,
            12 => Self::Q4_K,
            13 => Self::Q5_K,
            14 => Self::Q6_K,
            30 => Self::BF16,
            _ => return None,
        })
    }

    /// The number in the file.
    pub(crate) fn number(self) -> u32 {
        (0..=30).find(|number| Self::from_number(*number) == Some(self)).expect("every type has a number up to 30")
    }

    /// The size of a tensor, or what is wrong with its shape. A size that fits `u64` bounds every dimension, as none is zero.
    pub(super) fn size_in_bytes(self, shape: &[u64]) -> Result<u64, String> {
        if shape.contains(&0) {
            return Err("no dimension can be 0".into());
        }
        let block_length = self.block_length() as u64;
        let width = shape.last().copied().unwrap_or(1);
        if width % block_length != 0 {
            return Err(format!("the last dimension must be a multiple of {block_length} for {self:?}"));
        }
        let elements = shape.iter().try_fold(1u64, |product, &dimension| product.checked_mul(dimension));
        elements
            .and_then(|elements| (elements / block_length).checked_mul(self.block_bytes() as u64))
            .ok_or_else(|| "its size overflows 64 bits".into())
    }
}

/// What a type that cannot be read is called in llama.cpp.
pub(super) fn unsupported_name(number: u32) -> String {
    let name = match number {
        9 => "Q8_1",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        _ => return format!("number {number}"),
    };
    name.to_owned()
}

/// One tensor of a file, checked to lie inside it.
#[derive(Debug, Clone)]
pub struct TensorInfo {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) tensor_type: TensorType,
    pub(crate) bytes: Range<usize>,
}

impl TensorInfo {
    /// The name in the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The dimensions in row-major order, rows before columns: GGUF's own order reversed.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How the numbers are stored.
    pub fn tensor_type(&self) -> TensorType {
        self.tensor_type
    }

    /// Where the tensor lies, in bytes from the start of the file.
    pub fn bytes(&self) -> Range<usize> {
        self.bytes.clone()
    }

    /// The length of a row: the last dimension.
    pub(crate) fn width(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// The number of rows: the product of all other dimensions.
    pub(crate) fn rows(&self) -> usize {
        self.shape.iter().rev().skip(1).product()
    }
}
