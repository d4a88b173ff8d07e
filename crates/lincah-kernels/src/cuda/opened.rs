//! What all handles on one device share.

use super::blas::Blas;
use super::kernel_cache::compiled;
use super::launch::done;
use super::pool::Pool;
use crate::error::CudaError;
use cudarc::driver::{CudaContext, CudaFunction, sys};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError, Weak};

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
    "layer_norm",
    "gelu",
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

/// The kernels, cuBLASLt and the handles' pools of one device, which the process keeps: closing the kernels or cuBLASLt would wait for the
/// whole device, and break the recording of another handle.
pub(super) struct Opened {
    kernels: BTreeMap<&'static str, Kernel>,
    pub(super) blas: Blas,
    pools: Mutex<Vec<Weak<Pool>>>,
}

struct Kernel {
    function: CudaFunction,
    /// Shared memory of a block that launches may ask for. It only grows, so that no handle takes from another's launches or recordings.
    shared_memory: Mutex<usize>,
}

impl Opened {
    /// Device `ordinal`, loaded at the first call.
    pub(super) fn of(ordinal: usize, context: &Arc<CudaContext>, capability: (i32, i32)) -> Result<Arc<Self>, CudaError> {
        static OPENED: Mutex<BTreeMap<usize, Arc<Opened>>> = Mutex::new(BTreeMap::new());
        // Held while the kernels are loaded: nobody records on this device yet.
        let mut all = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = all.get(&ordinal) {
            return Ok(opened.clone());
        }
        let opened = Arc::new(Self::load(ordinal, context, capability)?);
        all.insert(ordinal, opened.clone());
        Ok(opened)
    }

    fn load(ordinal: usize, context: &Arc<CudaContext>, capability: (i32, i32)) -> Result<Self, CudaError> {
        let failed = |action| move |source: Box<dyn Error + Send + Sync>| CudaError::Failed { ordinal, action, source };
        let blas = Blas::new().map_err(|error| failed("open cuBLASLt")(error.into()))?;
        let module = compiled(capability).and_then(|ptx| Ok(context.load_module(ptx)?)).map_err(failed("compile the kernels"))?;
        let mut kernels = BTreeMap::new();
        for &name in FUNCTIONS {
            let function = module.load_function(name).map_err(|error| failed("load the kernels")(error.into()))?;
            kernels.insert(name, Kernel { function, shared_memory: Mutex::new(FREE_SHARED_MEMORY) });
        }
        Ok(Self { kernels, blas, pools: Mutex::default() })
    }

    pub(super) fn function(&self, name: &str) -> &CudaFunction {
        &self.kernels[name].function
    }

    /// Lets a kernel have `bytes` of shared memory a block. The context must be bound.
    pub(super) fn allow_shared_memory(&self, name: &str, bytes: usize) {
        let Kernel { function, shared_memory } = &self.kernels[name];
        let mut allowed = shared_memory.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes > *allowed {
            let attribute = sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            done(function.set_attribute(attribute, bytes as i32));
            *allowed = bytes;
        }
    }

    /// A handle's pool of arrays that no recording writes to.
    pub(super) fn new_pool(&self, context: &Arc<CudaContext>) -> Arc<Pool> {
        let pool = Pool::new(context);
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(&pool));
        pool
    }

    /// The pools, whose memory the driver can have back.
    pub(super) fn pools(&self) -> Vec<Arc<Pool>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect()
    }
}
