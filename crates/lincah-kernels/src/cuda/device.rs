//! A handle on the device: its streams, its memory, and what all handles share.

use super::blas::WORKSPACE;
use super::buffer::{Buffer, Element};
use super::launch::done;
use super::opened::Opened;
use super::pool::{Block, Pool};
use super::precision::CudaPrecision;
use super::rope_table::RopeTables;
use crate::error::CudaError;
use cudarc::driver::{CudaContext, CudaFunction, CudaStream, sys};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A handle on an NVIDIA GPU. All its work runs in the order of the calls, but for the forks of its recordings; the work of several
/// handles runs at once. Two threads that share a handle are ordered by a lock of theirs, or one would call into the other's recording.
pub(super) struct Cuda {
    pub(super) main: Branch,
    pub(super) fork: Branch,
    /// Whether calls go to the fork at present.
    pub(super) in_fork: AtomicBool,
    pub(super) opened: Arc<Opened>,
    /// Memory of arrays that come and go.
    pub(super) arrays: Arc<Pool>,
    /// Of the factors of products, and of what lies between two products.
    pub(super) factors: Element,
    recording: AtomicBool,
    pub(super) rope_tables: RopeTables,
}

/// A stream, and the memory that its work may use at the same time as another's.
pub(super) struct Branch {
    pub(super) stream: Arc<CudaStream>,
    workspace: Block,
    /// Of the arrays that recordings write to.
    pub(super) recordings: Arc<Pool>,
}

impl Cuda {
    /// Opens device `ordinal` and loads the kernels for it.
    pub(super) fn new(ordinal: usize, precision: Option<CudaPrecision>) -> Result<Self, CudaError> {
        let count = count()?;
        let failed = |action| move |source: Box<dyn Error + Send + Sync>| CudaError::Failed { ordinal, action, source };
        if ordinal >= count {
            return Err(CudaError::NoDevice { ordinal, count });
        }
        let context = CudaContext::new(ordinal).map_err(|error| failed("open it")(error.into()))?;
        // SAFETY: one stream does all work of a handle but for the branches of recordings, which say themselves what waits for what; what
        // one handle wrote is read by another's stream only after the first was synchronized.
        unsafe { context.disable_event_tracking() };
        let capability = context.compute_capability().map_err(|error| failed("ask its capability")(error.into()))?;
        let factors = match precision {
            Some(CudaPrecision::F32) => Element::F32,
            None if capability.0 < 8 => Element::F32,
            None => Element::Bf16,
            Some(CudaPrecision::Bf16) if capability.0 < 8 => return Err(CudaError::NoBf16 { ordinal, capability }),
            Some(CudaPrecision::Bf16) => Element::Bf16,
        };
        let opened = Opened::of(ordinal, &context, capability)?;
        let arrays = opened.new_pool(&context);
        let branch = || {
            let stream = context.new_stream().map_err(|error| failed("open a stream")(error.into()))?;
            let workspace = Block::new(&arrays, WORKSPACE).map_err(|error| failed("have memory")(error.into()))?;
            Ok(Branch { stream, workspace, recordings: Pool::new(&context) })
        };
        let [main, fork] = [branch()?, branch()?];
        let [in_fork, recording] = [(); 2].map(|()| AtomicBool::new(false));
        Ok(Self { main, fork, in_fork, opened, arrays, factors, recording, rope_tables: RopeTables::default() })
    }

    /// Another handle on the same device and in the same precision. Its context is the same primary context of the driver's, so that
    /// addresses are good in both.
    pub(super) fn another(&self) -> Result<Self, CudaError> {
        let precision = match self.factors {
            Element::F32 => CudaPrecision::F32,
            Element::Bf16 => CudaPrecision::Bf16,
        };
        Self::new(self.main.stream.context().ordinal(), Some(precision))
    }

    /// Waits for all work of this handle: a recording's branches end in the main stream.
    pub(super) fn wait(&self) {
        done(self.main.stream.synchronize());
    }

    pub(super) fn is_recording(&self) -> bool {
        self.recording.load(Ordering::Relaxed)
    }

    pub(super) fn set_recording(&self, recording: bool) {
        self.recording.store(recording, Ordering::Relaxed);
    }

    fn branch(&self) -> &Branch {
        if self.in_fork.load(Ordering::Relaxed) { &self.fork } else { &self.main }
    }

    /// Where calls go at present.
    pub(super) fn stream(&self) -> &Arc<CudaStream> {
        &self.branch().stream
    }

    /// For what the present stream's products split.
    pub(super) fn workspace(&self) -> &Block {
        &self.branch().workspace
    }

    /// Where arrays have their memory from at present.
    pub(super) fn pool(&self) -> Arc<Pool> {
        if self.is_recording() { self.branch().recordings.clone() } else { self.arrays.clone() }
    }

    pub(super) fn uninitialized(&self, length: usize) -> Buffer {
        Buffer::new(length)
    }

    pub(super) fn function(&self, name: &str) -> &CudaFunction {
        self.opened.function(name)
    }

    /// Lets a kernel have `bytes` of shared memory a block.
    pub(super) fn allow_shared_memory(&self, name: &str, bytes: usize) {
        done(self.stream().context().bind_to_thread());
        self.opened.allow_shared_memory(name, bytes);
    }
}

/// How many devices the driver shows.
pub(super) fn count() -> Result<usize, CudaError> {
    check_libraries()?;
    let failed = |error: cudarc::driver::DriverError| {
        let (ordinal, action) = (0, "count the devices");
        CudaError::Failed { ordinal, action, source: error.into() }
    };
    Ok(CudaContext::device_count().map_err(failed)?.max(0) as usize)
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
