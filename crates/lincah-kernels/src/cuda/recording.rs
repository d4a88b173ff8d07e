//! Operations recorded as a CUDA graph, and its branches.

use super::device::Cuda;
use super::launch::done;
use super::pool::EXCLUSIVE;
use cudarc::driver::{CudaGraph, DriverError, sys};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// A graph that can be launched again.
pub(super) struct Recording(CudaGraph);

// SAFETY: a graph is launched by one thread at a time: whoever has the handle that it was recorded on.
unsafe impl Send for Recording {}
// SAFETY: as above.
unsafe impl Sync for Recording {}

/// A capture under way, which ends even if the recorded work panics: other handles go on.
struct Capture<'a>(&'a Cuda);

impl Capture<'_> {
    fn end(&self) -> Result<Option<CudaGraph>, DriverError> {
        self.0.in_fork.store(false, Ordering::Relaxed);
        self.0.set_recording(false);
        self.0.main.stream.end_capture(sys::CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY)
    }
}

impl Drop for Capture<'_> {
    fn drop(&mut self) {
        if self.0.is_recording() {
            let _ = self.end();
        }
    }
}

impl Cuda {
    pub(super) fn recorded(&self, work: &mut dyn FnMut()) -> Recording {
        let _exclusive = EXCLUSIVE.lock().unwrap_or_else(PoisonError::into_inner);
        // Relaxed, since arrays may have to be allocated meanwhile.
        done(self.stream().begin_capture(sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED));
        self.set_recording(true);
        let capture = Capture(self);
        work();
        let graph = done(capture.end());
        Recording(graph.expect("a recording has operations"))
    }

    pub(super) fn replayed(&self, recording: &Recording) {
        done(recording.0.launch());
    }

    /// Both pieces of work; in a recording as two branches, which end where this returns.
    pub(super) fn fork_join<A, B>(&self, first: impl FnOnce() -> A, second: impl FnOnce() -> B) -> (A, B) {
        if !self.is_recording() || self.in_fork.load(Ordering::Relaxed) {
            return (first(), second());
        }
        done(self.fork.stream.join(&self.main.stream));
        // Of the second branch's memory, what the first gives back may still be in its use.
        let free = self.fork.recordings.take();
        let first = first();
        let in_use = self.fork.recordings.take();
        self.fork.recordings.add(free);
        self.in_fork.store(true, Ordering::Relaxed);
        let second = second();
        self.in_fork.store(false, Ordering::Relaxed);
        self.fork.recordings.add(in_use);
        done(self.main.stream.join(&self.fork.stream));
        (first, second)
    }
}
