//! Long work in a thread of its own, while Python's thread hears signals and tells of events.

use crate::error::{raised, refused};
use lincah::Error;
use pyo3::prelude::*;
use rayon::ThreadPool;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// How long Ctrl-C waits at most to be heard.
const TICK: Duration = Duration::from_millis(50);

/// Whom the working thread tells what happens, and who asks it to stop.
pub(crate) struct Listener {
    events: Sender<String>,
    is_listened_to: bool,
    stop: Arc<AtomicBool>,
}

impl Listener {
    /// Tells of an event, if somebody wants to know.
    pub(crate) fn tell(&self, event: impl FnOnce() -> serde_json::Value) -> ControlFlow<()> {
        if self.is_listened_to {
            let _ = self.events.send(event().to_string());
        }
        self.go_on()
    }

    /// `Break` once somebody has asked to stop.
    pub(crate) fn go_on(&self) -> ControlFlow<()> {
        if self.stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Does `work` on so many threads, or all cores, without the interpreter's lock. Ctrl-C, and whatever `on_event` raises, ends it at its next
/// event and is raised.
pub(crate) fn run<T: Send>(
    py: Python<'_>,
    threads: Option<usize>,
    on_event: Option<&Py<PyAny>>,
    work: impl FnOnce(&Listener) -> Result<T, Error> + Send,
) -> PyResult<T> {
    refuse_after_fork()?;
    let pool = threads.map(pool).transpose()?;
    let (send, mut events) = channel();
    let stop = Arc::new(AtomicBool::new(false));
    let listener = Listener { events: send, is_listened_to: on_event.is_some(), stop: stop.clone() };
    let (worked, interrupted) = std::thread::scope(|scope| {
        // The listener goes with the work, so that the events end when it does.
        let worker = scope.spawn(move || {
            let listener = listener;
            match pool {
                Some(pool) => pool.install(|| work(&listener)),
                None => work(&listener),
            }
        });
        let interrupted = listen(py, &mut events, on_event, &stop);
        (worker.join(), interrupted)
    });
    match (worked, interrupted) {
        (Err(panic), _) => std::panic::resume_unwind(panic),
        (_, Some(error)) => Err(error),
        (Ok(worked), None) => worked.map_err(raised),
    }
}

/// Tells `on_event` of events until they end; whatever is raised meanwhile asks the work to stop.
fn listen(py: Python<'_>, events: &mut Receiver<String>, on_event: Option<&Py<PyAny>>, stop: &AtomicBool) -> Option<PyErr> {
    let mut interrupted = None;
    loop {
        let waiting = &mut *events;
        let heard = match py.detach(move || waiting.recv_timeout(TICK)) {
            Err(RecvTimeoutError::Disconnected) => return interrupted,
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Ok(_) if interrupted.is_some() => Ok(()),
            Ok(event) => on_event.map_or(Ok(()), |on_event| on_event.call1(py, (event,)).map(drop)),
        };
        if let Err(error) = heard.and_then(|()| py.check_signals()) {
            stop.store(true, Ordering::Relaxed);
            interrupted.get_or_insert(error);
        }
    }
}

/// A pool of so many threads, made once.
fn pool(threads: usize) -> PyResult<Arc<ThreadPool>> {
    static POOLS: Mutex<Vec<Arc<ThreadPool>>> = Mutex::new(Vec::new());
    if !(1..=1024).contains(&threads) {
        return Err(refused(format!("threads is {threads}, but must be from 1 to 1024")));
    }
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pool) = pools.iter().find(|pool| pool.current_num_threads() == threads) {
        return Ok(pool.clone());
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = Arc::new(pool.map_err(|error| refused(format!("{threads} threads cannot be started: {error}")))?);
    pools.push(pool.clone());
    Ok(pool)
}

/// A process that was forked after its parent computed has no threads to compute with, and would wait for ever.
fn refuse_after_fork() -> PyResult<()> {
    static PROCESS: OnceLock<u32> = OnceLock::new();
    if *PROCESS.get_or_init(std::process::id) == std::process::id() {
        return Ok(());
    }
    Err(refused(
        "this process was forked after lincah had computed in it; start processes with the method `spawn` or `forkserver`",
    ))
}
