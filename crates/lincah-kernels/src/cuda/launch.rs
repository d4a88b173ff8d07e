//! Launches of kernels.

use crate::error::DEVICE_FAILED;
use cudarc::driver::LaunchConfig;

/// Unwraps what the driver answers once the device is open.
///
/// # Panics
/// If the device is out of memory or lost: the operations have no way to go on.
pub(super) fn done<T, E: std::fmt::Display>(answer: Result<T, E>) -> T {
    answer.unwrap_or_else(|error| panic!("{DEVICE_FAILED}: {error}; if it is out of memory, lower --batch-size"))
}

/// Blocks and threads of a launch.
pub(super) fn grid(blocks: (usize, usize), threads: usize, shared_bytes: usize) -> LaunchConfig {
    let number = |value: usize| u32::try_from(value).expect("a launch has fewer than 2^32 blocks");
    LaunchConfig {
        grid_dim: (number(blocks.0), number(blocks.1), 1),
        block_dim: (number(threads), 1, 1),
        shared_mem_bytes: number(shared_bytes),
    }
}

/// Blocks for eight elements a thread, or more where there are many.
pub(super) fn each(length: usize) -> LaunchConfig {
    grid((length.div_ceil(8 * 256).clamp(1, 4096), 1), 256, 0)
}

/// Blocks for one element a thread, or some where there are many.
pub(super) fn each_one(length: usize) -> LaunchConfig {
    grid((length.div_ceil(256).clamp(1, 4096), 1), 256, 0)
}

/// Launches a kernel: `launch!(cuda, "name", configuration; argument, …)`. Arguments go by reference, with the types of the kernel.
macro_rules! launch {
    ($cuda:expr, $name:expr, $configuration:expr; $($argument:expr),* $(,)?) => {{
        use cudarc::driver::PushKernelArg;
        // SAFETY: the caller has checked that each array is as long as the kernel's shape, and passes the arguments that it declares.
        let answer = unsafe { $cuda.stream().launch_builder($cuda.function($name))$(.arg($argument))*.launch($configuration) };
        crate::cuda::launch::done(answer);
    }};
}
pub(super) use launch;
