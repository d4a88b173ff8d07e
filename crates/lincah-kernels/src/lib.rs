//! The maths on one device: every layer-level operation of a decoder-only transformer with LoRA, forward and backward, and of a
//! frozen encoder.
//!
//! # Dimensions
//! One letter, one meaning, in every `# Shapes` of this workspace:
//!
//! | letter | meaning |
//! | --- | --- |
//! | N | rows: all tokens of a ragged batch, shared prefixes counted once |
//! | S | sequences of a batch: texts, or questions about texts |
//! | P | tokens of the prefix that all sequences share |
//! | G | tokens of the prefix that a group of sequences shares, after P |
//! | D | hidden size |
//! | H, K | query heads, key-value heads |
//! | C | head dimension |
//! | F | intermediate size of the MLP |
//! | V | vocabulary size |
//! | R | LoRA rank |
//! | I, O | inputs and outputs of a linear layer |
//!
//! Every array is dense, row-major and `f32` on the devices (the [`reference`](mod@reference) also runs in `f64`; a CUDA device may keep
//! frozen weights and what lies between products in bfloat16, see [`CudaPrecision`]).
//!
//! # Operations
//! | operation | forward | backward |
//! | --- | --- | --- |
//! | frozen linear layer | [`Kernels::linear`] | [`Kernels::linear_backward`] (input only) |
//! | trained linear layer | [`Kernels::trained_linear`] | [`Kernels::trained_linear_backward`] |
//! | LoRA | [`Kernels::lora`] | [`Kernels::lora_backward`] |
//! | both in one | [`Kernels::adapted_linear`] | [`Kernels::adapted_linear_backward`] |
//! | bias | [`Kernels::add_bias`] | identity |
//! | dropout | [`Kernels::dropout`] | [`Kernels::dropout_backward`] |
//! | embedding | [`Kernels::embed`] | none |
//! | layer norm | [`Kernels::layer_norm`] | none: encoders are frozen |
//! | GELU | [`Kernels::gelu`] | none: encoders are frozen |
//! | RMS norm | [`Kernels::rms_norm`], of a sum [`Kernels::add_rms_norm`] | [`Kernels::rms_norm_backward`] |
//! | rotary embedding | [`Kernels::rope`] | [`Kernels::rope_backward`] |
//! | ragged attention, causal or not | [`Kernels::attention`] | [`Kernels::attention_backward`] |
//! | gated activation | [`Kernels::gated_activation`] | [`Kernels::gated_activation_backward`] |
//! | frozen gate and up with their activation | [`Kernels::gated_linear`] | [`Kernels::gated_linear_backward`] (input only) |
//! | residual sum | [`Kernels::add`] | identity |
//! | row selection | [`Kernels::gather_rows`] | [`Kernels::scatter_add_rows`] |
//! | soft cap | [`Kernels::soft_cap`] | [`Kernels::soft_cap_backward`] |
//! | cross-entropy | [`Kernels::cross_entropy`] | the same call |
//! | shared blocks on a diagonal | part of the array | [`Kernels::tie_diagonal_blocks`] |
//! | Adam | [`Kernels::adam_step`], of many arrays [`Kernels::clipped_adam_steps`] | none |
//!
//! [`Cpu`] is the processor, [`Profiled`] the processor with a clock on each operation, [`cuda()`] opens an NVIDIA GPU, and [`reference::Reference`] is the naive oracle that every device is held
//! against.
//!
//! # Handles
//! A value of these is a handle on its device, whose work is done in the order of its calls. [`Kernels::concurrent_handle`] opens another,
//! whose work may run at the same time, so that several trainings and scorers share what is kept frozen.
//!
//! # Instruction sets
//! [`Cpu`] uses the best of AVX-512, AVX2 with FMA, and what the target always has. The environment variable `LINCAH_INSTRUCTIONS`,
//! read once, asks for a plainer one, for tests and to compare machines: `avx2` or `portable` (any other value, or one that the
//! processor lacks, leaves the choice as it was). Results are the same bits for any number of threads and any batch, but not across
//! instruction sets, whose multiply-adds round differently.
#![deny(unsafe_op_in_unsafe_fn)]

mod cpu;
mod cuda;
mod error;
mod kernels;
mod layout;
mod profile;
pub mod reference;
mod shapes;

pub use cpu::Cpu;
pub use cuda::{CUDA_IS_BUILT, CudaPrecision, cuda, cuda_device_count};
pub use error::CudaError;
pub use kernels::Kernels;
pub use layout::{GroupLayout, RaggedLayout};
pub use profile::Profiled;
pub use shapes::{
    Activation, AdamArrays, AdamStep, AttentionGradients, AttentionSaved, AttentionShape, DiagonalBlocks, GatedShape,
    LinearShape, LoraGradients, LoraSaved, LoraShape, NormShape, OperationTime,
};
