//! What a CUDA device computes in.

/// How a CUDA device keeps frozen weights and the factors of products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CudaPrecision {
    /// f32, without TF32.
    F32,
    /// bfloat16, summed in f32; the residual stream, norms, softmax, LoRA and the optimizer stay in f32.
    Bf16,
}
