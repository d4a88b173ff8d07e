//! Operations recorded as a CUDA graph.

use super::device::{Cuda, EXCLUSIVE, done};
use cudarc::driver::{CudaGraph, sys};
use std::sync::PoisonError;

/// A graph that can be launched again.
pub(super) struct Recording(CudaGraph);

// SAFETY: a graph is launched by one thread at a time: whoever has the model.
unsafe impl Send for Recording {}
// SAFETY: as above.
unsafe impl Sync for Recording {}

impl Cuda {
    pub(super) fn recorded(&self, work: &mut dyn FnMut()) -> Recording {
        let _exclusive = EXCLUSIVE.lock().unwrap_or_else(PoisonError::into_inner);
        // Relaxed, since arrays may have to be allocated meanwhile.
        done(self.stream().begin_capture(sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED));
        self.set_recording(true);
        work();
        self.set_recording(false);
        let graph = done(self.stream().end_capture(sys::CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY));
        Recording(graph.expect("a recording has operations"))
    }

    pub(super) fn replayed(&self, recording: &Recording) {
        done(recording.0.launch());
    }
}
