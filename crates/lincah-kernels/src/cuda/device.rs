//! The device itself: context, stream, compiled kernels, and the arrays on it.

use super::product::Blas;
use super::{CudaError, CudaPrecision};
use cudarc::driver::{CudaContext, CudaFunction, CudaSlice, CudaStream, DeviceRepr, LaunchConfig, result, sys};
use cudarc::nvrtc::{CompileOptions, Ptx, compile_ptx_with_opts};
use std::collections::BTreeMap;
use std::error::Error;
use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The kernels' source, one translation unit.
const SOURCE: &str = concat!(include_str!("elementwise.cu"), include_str!("rows.cu"), include_str!("attention.cu"));

/// Every kernel of [`SOURCE`].
const FUNCTIONS: [&str; 33] = [
    "add",
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
    "rms_norm_backward",
    "cross_entropy",
    "squared_norms",
    "adam_steps",
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
];

/// Most shared memory of a block that every device grants without being asked.
const FREE_SHARED_MEMORY: usize = 48 << 10;

/// An NVIDIA GPU. All work runs on one stream, in the order of the calls.
pub(super) struct Cuda {
    pub(super) stream: Arc<CudaStream>,
    pub(super) blas: Blas,
    pool: Arc<Pool>,
    functions: BTreeMap<&'static str, CudaFunction>,
    pub(super) rope_tables: Mutex<Vec<Arc<super::operations::RopeTable>>>,
}

/// An array of f32, and somewhat more memory than it needs. An empty one still has an address.
pub(super) struct Buffer {
    pub(super) values: ManuallyDrop<CudaSlice<f32>>,
    pub(super) length: usize,
    pool: Arc<Pool>,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: nothing touches the values after their buffer is dropped.
        let values = unsafe { ManuallyDrop::take(&mut self.values) };
        self.pool.free().entry(values.len()).or_default().push(values);
    }
}

/// Memory of dropped buffers by size, for the next buffers: the stream orders their uses. It saves two calls of the driver
/// an array.
#[derive(Default)]
pub(super) struct Pool(Mutex<BTreeMap<usize, Vec<CudaSlice<f32>>>>);

impl Pool {
    fn free(&self) -> MutexGuard<'_, BTreeMap<usize, Vec<CudaSlice<f32>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Eight sizes an octave, 256 numbers at least.
    fn size(length: usize) -> usize {
        let step = (length.next_power_of_two() / 16).max(256);
        length.next_multiple_of(step).max(step)
    }
}

impl Buffer {
    /// The array, known to have at least `length` numbers.
    pub(super) fn of(&self, length: usize) -> &CudaSlice<f32> {
        assert!(self.length >= length, "an array of {} numbers is shorter than its shape, {length}", self.length);
        &self.values
    }

    /// The same, to be written.
    pub(super) fn of_mut(&mut self, length: usize) -> &mut CudaSlice<f32> {
        assert!(self.length >= length, "an array of {} numbers is shorter than its shape, {length}", self.length);
        &mut self.values
    }
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

/// Blocks for one element a thread, or some where there are many.
pub(super) fn each(length: usize) -> LaunchConfig {
    grid((length.div_ceil(256).clamp(1, 2048), 1), 256, 0)
}

/// Launches a kernel: `launch!(cuda, "name", configuration; argument, …)`. Scalars go by reference, with the types of the kernel.
macro_rules! launch {
    ($cuda:expr, $name:expr, $configuration:expr; $($argument:expr),* $(,)?) => {{
        use cudarc::driver::PushKernelArg;
        // SAFETY: the caller has checked that each array is as long as the kernel's shape, and passes the arguments that it declares.
        let answer = unsafe { $cuda.stream.launch_builder($cuda.function($name))$(.arg($argument))*.launch($configuration) };
        crate::cuda::device::done(answer);
    }};
}
pub(super) use launch;

impl Cuda {
    /// Opens device `ordinal` and compiles the kernels for it.
    pub(super) fn new(ordinal: usize, _precision: Option<CudaPrecision>) -> Result<Self, CudaError> {
        check_libraries()?;
        let failed = |action| move |source: Box<dyn Error + Send + Sync>| CudaError::Failed { ordinal, action, source };
        let context = CudaContext::new(ordinal).map_err(|error| failed("open it")(error.into()))?;
        // SAFETY: one stream does all work, so nothing has to wait for another stream.
        unsafe { context.disable_event_tracking() };
        keep_freed_memory(&context).map_err(|error| failed("set up its memory")(error.into()))?;
        let stream = context.new_stream().map_err(|error| failed("open a stream")(error.into()))?;
        let blas = Blas::new(&stream).map_err(|error| failed("open cuBLAS")(error.into()))?;
        let capability = context.compute_capability().map_err(|error| failed("ask its capability")(error.into()))?;
        let module = compiled(capability).and_then(|ptx| Ok(context.load_module(ptx)?)).map_err(failed("compile the kernels"))?;
        let mut functions = BTreeMap::new();
        for name in FUNCTIONS {
            let function = module.load_function(name).map_err(|error| failed("load the kernels")(error.into()))?;
            functions.insert(name, function);
        }
        Ok(Self { stream, blas, pool: Arc::default(), functions, rope_tables: Mutex::default() })
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

    /// An array whose numbers are not set: each must be written before it is read.
    pub(super) fn unset(&self, length: usize) -> Buffer {
        let size = Pool::size(length);
        let reused = self.pool.free().get_mut(&size).and_then(Vec::pop);
        let values = reused.unwrap_or_else(|| {
            // SAFETY: f32 has no invalid bits, and the callers write every number before one is read.
            let allocate = || unsafe { self.stream.alloc(size) };
            done(allocate().or_else(|_| {
                // Out of memory, perhaps because of what is kept in other sizes.
                std::mem::take(&mut *self.pool.free());
                self.stream.synchronize()?;
                allocate()
            }))
        });
        Buffer { values: ManuallyDrop::new(values), length, pool: self.pool.clone() }
    }

    /// Copies numbers of any kind to the device.
    pub(super) fn send<T: DeviceRepr>(&self, values: &[T]) -> CudaSlice<T> {
        // SAFETY: the copy below, ordered before every use, writes all that is read; an empty array is not read.
        let mut slice = done(unsafe { self.stream.alloc(values.len().max(1)) });
        if !values.is_empty() {
            done(self.stream.memcpy_htod(values, &mut slice));
        }
        slice
    }
}

/// Fails in one line where the loader of cudarc would panic.
fn check_libraries() -> Result<(), CudaError> {
    // SAFETY: these three only try to open shared libraries of NVIDIA's, whose initializers have no requirements.
    let present =
        unsafe { [sys::is_culib_present(), cudarc::nvrtc::sys::is_culib_present(), cudarc::cublas::sys::is_culib_present()] };
    let libraries = [
        ("the NVIDIA driver (libcuda)", "install it, or compute with --device cpu"),
        ("NVRTC (libnvrtc)", "install the CUDA toolkit 12 or 13, or put the library's folder in LD_LIBRARY_PATH"),
        ("cuBLAS (libcublas)", "install the CUDA toolkit 12 or 13, or put the library's folder in LD_LIBRARY_PATH"),
    ];
    match present.iter().position(|present| !present) {
        Some(missing) => Err(CudaError::NoLibrary { library: libraries[missing].0, hint: libraries[missing].1 }),
        None => Ok(()),
    }
}

/// Makes the device's pool keep freed memory for the next array, not give it back whenever the host waits.
fn keep_freed_memory(context: &CudaContext) -> Result<(), cudarc::driver::DriverError> {
    let mut threshold = u64::MAX;
    // SAFETY: the device is that of an open context, and the attribute is a u64.
    unsafe {
        let pool = result::device::get_default_mem_pool(context.cu_device())?;
        let attribute = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
        result::mem_pool::set_attribute(pool, attribute, (&raw mut threshold).cast())
    }
}

/// The kernels for a compute capability, compiled once a process.
fn compiled((major, minor): (i32, i32)) -> Result<Ptx, Box<dyn Error + Send + Sync>> {
    static COMPILED: Mutex<BTreeMap<(i32, i32), Ptx>> = Mutex::new(BTreeMap::new());
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(ptx) = compiled.get(&(major, minor)) {
        return Ok(ptx.clone());
    }
    let architecture = format!("--gpu-architecture=compute_{major}{minor}");
    let options = CompileOptions { options: vec![architecture, String::from("--std=c++17")], ..CompileOptions::default() };
    let ptx = compile_ptx_with_opts(SOURCE, options)?;
    compiled.insert((major, minor), ptx.clone());
    Ok(ptx)
}
