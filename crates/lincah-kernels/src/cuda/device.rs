//! The device itself: context, stream, compiled kernels, and the arrays on it.

use super::kernel_cache::compiled;
use super::memory::{Block, Buffer, Element, Pool};
use super::product::Blas;
use super::{CudaError, CudaPrecision};
use cudarc::driver::{CudaContext, CudaFunction, CudaStream, LaunchConfig, sys};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Every kernel of the source.
const FUNCTIONS: &[&str] = &[
    "add",
    "convert",
    "scale",
    "add_bias",
    "dropout",
    "dropout_backward",
    "gated_activation",
    "gated_activation_backward",
    "soft_cap",
    "soft_cap_backward",
    "tie_diagonal_blocks",
    "rope",
    "gather_rows",
    "scatter_add_rows",
    "scatter_add_repeated_rows",
    "rms_norm",
    "add_rms_norm",
    "rms_norm_backward",
    "cross_entropy",
    "squared_norms",
    "gradient_factor",
    "adam_steps",
    "lora_rows_2",
    "lora_rows_8",
    "lora_columns",
    "lora_add_columns",
    "tensor_attention_delta",
    "attention_delta",
    "attention_add_partial_sums",
    "attention_1",
    "attention_2",
    "attention_4",
    "attention_8",
    "attention_d_query_1",
    "attention_d_query_2",
    "attention_d_query_4",
    "attention_d_query_8",
    "attention_d_key_value_1",
    "attention_d_key_value_2",
    "attention_d_key_value_4",
    "attention_d_key_value_8",
    "tensor_attention_16",
    "tensor_attention_32",
    "tensor_attention_64",
    "tensor_attention_128",
    "tensor_attention_256",
    "tensor_attention_d_query_16",
    "tensor_attention_d_query_32",
    "tensor_attention_d_query_64",
    "tensor_attention_d_query_128",
    "tensor_attention_d_query_256",
    "tensor_attention_d_key_value_16",
    "tensor_attention_d_key_value_32",
    "tensor_attention_d_key_value_64",
    "tensor_attention_d_key_value_128",
    "tensor_attention_d_key_value_256",
];

/// Most shared memory of a block that every device grants without being asked.
const FREE_SHARED_MEMORY: usize = 48 << 10;

/// An NVIDIA GPU. All work runs in the order of the calls, but what a recording has beside.
pub(super) struct Cuda {
    pub(super) main: Lane,
    pub(super) beside: Lane,
    /// Whether calls go to the second lane at present.
    pub(super) is_beside: AtomicBool,
    pub(super) blas: Arc<Blas>,
    /// Memory of arrays that come and go.
    pub(super) arrays: Arc<Pool>,
    /// Of the factors of products, and of what lies between two products.
    pub(super) factors: Element,
    recording: AtomicBool,
    functions: Functions,
    pub(super) rope_tables: Mutex<Vec<Arc<super::operations::RopeTable>>>,
}

/// The kernels by name.
type Functions = Arc<BTreeMap<&'static str, CudaFunction>>;

/// Held while a recording is made, and while memory is given back, which waits for the device and would break the recording.
pub(super) static EXCLUSIVE: Mutex<()> = Mutex::new(());

/// A stream, and the memory that its work may use at the same time as another's.
pub(super) struct Lane {
    pub(super) stream: Arc<CudaStream>,
    workspace: Block,
    /// Of the arrays that recordings write to.
    pub(super) recordings: Arc<Pool>,
}

/// Unwraps what the driver answers once the device is open.
///
/// # Panics
/// If the device is out of memory or lost: the operations have no way to go on.
pub(super) fn done<T, E: std::fmt::Display>(answer: Result<T, E>) -> T {
    answer.unwrap_or_else(|error| panic!("the CUDA device failed: {error}; if it is out of memory, lower --batch-size"))
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
        crate::cuda::device::done(answer);
    }};
}
pub(super) use launch;

impl Cuda {
    /// Opens device `ordinal` and loads the kernels for it.
    pub(super) fn new(ordinal: usize, precision: Option<CudaPrecision>) -> Result<Self, CudaError> {
        check_libraries()?;
        let failed = |action| move |source: Box<dyn Error + Send + Sync>| CudaError::Failed { ordinal, action, source };
        let count = CudaContext::device_count().map_err(|error| failed("count the devices")(error.into()))?.max(0) as usize;
        if ordinal >= count {
            return Err(CudaError::NoDevice { ordinal, count });
        }
        let context = CudaContext::new(ordinal).map_err(|error| failed("open it")(error.into()))?;
        // SAFETY: one stream does all work but for the branches of recordings, which say themselves what waits for what.
        unsafe { context.disable_event_tracking() };
        let capability = context.compute_capability().map_err(|error| failed("ask its capability")(error.into()))?;
        let factors = match precision {
            Some(CudaPrecision::F32) => Element::F32,
            None if capability.0 < 8 => Element::F32,
            None => Element::Bf16,
            Some(CudaPrecision::Bf16) if capability.0 < 8 => return Err(CudaError::NoBf16 { ordinal, capability }),
            Some(CudaPrecision::Bf16) => Element::Bf16,
        };
        let (functions, blas) = Self::shared(ordinal, &context, capability)?;
        let arrays = Pool::new(&context);
        let lane = || {
            let stream = context.new_stream().map_err(|error| failed("open a stream")(error.into()))?;
            let workspace = Block::new(&arrays, Self::workspace_bytes()).map_err(|error| failed("have memory")(error.into()))?;
            Ok(Lane { stream, workspace, recordings: Pool::new(&context) })
        };
        let [main, beside] = [lane()?, lane()?];
        let [is_beside, recording] = [(); 2].map(|()| AtomicBool::new(false));
        Ok(Self { main, beside, is_beside, blas, arrays, factors, recording, functions, rope_tables: Mutex::default() })
    }

    /// The kernels and cuBLASLt, which the process keeps: closing either would wait for the whole device, and break the recording of
    /// another model.
    fn shared(ordinal: usize, context: &Arc<CudaContext>, capability: (i32, i32)) -> Result<(Functions, Arc<Blas>), CudaError> {
        static OPEN: Mutex<BTreeMap<usize, (Functions, Arc<Blas>)>> = Mutex::new(BTreeMap::new());
        let failed = |action| move |source: Box<dyn Error + Send + Sync>| CudaError::Failed { ordinal, action, source };
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((functions, blas)) = open.get(&ordinal) {
            return Ok((functions.clone(), blas.clone()));
        }
        let blas = Arc::new(Blas::new().map_err(|error| failed("open cuBLASLt")(error.into()))?);
        let module = compiled(capability).and_then(|ptx| Ok(context.load_module(ptx)?)).map_err(failed("compile the kernels"))?;
        let mut functions = BTreeMap::new();
        for &name in FUNCTIONS {
            let function = module.load_function(name).map_err(|error| failed("load the kernels")(error.into()))?;
            functions.insert(name, function);
        }
        let functions = Arc::new(functions);
        open.insert(ordinal, (functions.clone(), blas.clone()));
        Ok((functions, blas))
    }

    pub(super) fn is_recording(&self) -> bool {
        self.recording.load(Ordering::Relaxed)
    }

    pub(super) fn set_recording(&self, recording: bool) {
        self.recording.store(recording, Ordering::Relaxed);
    }

    fn lane(&self) -> &Lane {
        if self.is_beside.load(Ordering::Relaxed) { &self.beside } else { &self.main }
    }

    /// Where calls go at present.
    pub(super) fn stream(&self) -> &Arc<CudaStream> {
        &self.lane().stream
    }

    /// For what the present stream's products split.
    pub(super) fn workspace(&self) -> &Block {
        &self.lane().workspace
    }

    /// Where arrays have their memory from at present.
    pub(super) fn pool(&self) -> Arc<Pool> {
        if self.is_recording() { self.lane().recordings.clone() } else { self.arrays.clone() }
    }

    pub(super) fn unset(&self, length: usize) -> Buffer {
        Buffer::new(length)
    }

    pub(super) fn function(&self, name: &str) -> &CudaFunction {
        &self.functions[name]
    }

    /// Lets a kernel have `bytes` of shared memory a block.
    pub(super) fn allow_shared_memory(&self, name: &str, bytes: usize) {
        if bytes > FREE_SHARED_MEMORY {
            let attribute = sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            done(self.function(name).set_attribute(attribute, bytes as i32));
        }
    }
}

/// Fails in one line where the loader of cudarc would panic.
fn check_libraries() -> Result<(), CudaError> {
    // SAFETY: these three only try to open shared libraries of NVIDIA's, whose initializers have no requirements.
    let present =
        unsafe { [sys::is_culib_present(), cudarc::nvrtc::sys::is_culib_present(), cudarc::cublaslt::sys::is_culib_present()] };
    let libraries = [
        ("the NVIDIA driver (libcuda)", "install it, or compute with --device cpu"),
        ("NVRTC (libnvrtc)", "install the CUDA toolkit 12 or 13, or put the library's folder in LD_LIBRARY_PATH"),
        ("cuBLASLt (libcublasLt)", "install the CUDA toolkit 12 or 13, or put the library's folder in LD_LIBRARY_PATH"),
    ];
    match present.iter().position(|present| !present) {
        Some(missing) => Err(CudaError::NoLibrary { library: libraries[missing].0, hint: libraries[missing].1 }),
        None => Ok(()),
    }
}
