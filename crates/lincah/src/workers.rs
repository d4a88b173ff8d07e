//! Tasks that several workers do at the same time: a GPU each, or all of them on one device.

use crate::error::Error;
use lincah_model::CudaError;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

/// How often the calling thread hears that nothing has happened.
const MOMENT: Duration = Duration::from_millis(200);

/// What the calling thread hears.
#[derive(Debug)]
pub(crate) enum Heard<M, D> {
    /// A worker tells something on the way.
    Message(M),
    /// A task is done.
    Done(D),
    /// A worker's device has failed; others take its task up.
    Lost(Error),
    /// Nothing yet, a moment later.
    Waiting,
}

/// By which a worker speaks while it works.
pub(crate) struct Reporter<'a, M> {
    tell: &'a dyn Fn(M) -> ControlFlow<()>,
    asked: &'a dyn Fn() -> ControlFlow<()>,
}

impl<M> Reporter<'_, M> {
    /// Tells the calling thread, and hears whether to stop.
    pub(crate) fn tell(&self, message: M) -> ControlFlow<()> {
        (self.tell)(message)
    }

    /// Whether to stop.
    pub(crate) fn asked(&self) -> ControlFlow<()> {
        (self.asked)()
    }
}

/// Places of tasks that wait, and how many are being done.
struct Tasks {
    state: Mutex<TaskState>,
    changed: Condvar,
}

struct TaskState {
    waiting: VecDeque<usize>,
    at_work: usize,
    workers: usize,
    stopped: bool,
}

impl Tasks {
    fn state(&self) -> MutexGuard<'_, TaskState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next task; it waits while another worker's may still be given back.
    fn take(&self) -> Option<usize> {
        let mut state = self.state();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(task) = state.waiting.pop_front() {
                state.at_work += 1;
                return Some(task);
            }
            if state.at_work == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn finish(&self) {
        self.state().at_work -= 1;
        self.changed.notify_all();
    }

    /// Gives back the task of a worker that goes, unless it is the last one.
    fn give_back(&self, task: usize) -> bool {
        let mut state = self.state();
        let others = state.workers > 1;
        if others {
            state.workers -= 1;
            state.at_work -= 1;
            state.waiting.push_front(task);
            self.changed.notify_all();
        }
        others
    }

    fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }
}

/// Does the tasks, each by whichever worker is free, a thread per worker; a single worker works in the calling thread. `hear` is called in the
/// calling thread, and says whether to go on; its first error, or that of a task, stops all and is returned. A worker whose device fails (see
/// [`Error::is_of_device`]) gives its task to the others. Stopped with tasks left, it returns [`Error::Interrupted`].
pub(crate) fn work<W: Sync, T: Sync, M: Send, D: Send>(
    workers: &[W],
    tasks: &[T],
    done_by: impl Fn(&W, &T, &Reporter<M>) -> Result<D, Error> + Sync,
    hear: &mut dyn FnMut(Heard<M, D>) -> Result<ControlFlow<()>, Error>,
) -> Result<(), Error> {
    let mut left = tasks.len();
    let mut hear = |heard: Heard<M, D>| {
        left -= usize::from(matches!(heard, Heard::Done(_)));
        hear(heard)
    };
    match &workers[..workers.len().min(tasks.len())] {
        [] => {}
        [only] => work_alone(only, tasks, done_by, &mut hear)?,
        several => work_beside(several, tasks, done_by, &mut hear)?,
    }
    if left == 0 { Ok(()) } else { Err(Error::Interrupted { step: 0, steps: 0, folder: None }) }
}

fn work_alone<W, T, M, D>(
    worker: &W,
    tasks: &[T],
    done_by: impl Fn(&W, &T, &Reporter<M>) -> Result<D, Error>,
    hear: &mut dyn FnMut(Heard<M, D>) -> Result<ControlFlow<()>, Error>,
) -> Result<(), Error> {
    let (hear, outcome, stopped) = (RefCell::new(hear), RefCell::new(Ok(())), Cell::new(false));
    let heard = |heard: Result<Heard<M, D>, Error>| {
        let told = heard.and_then(|heard| (hear.borrow_mut())(heard));
        stopped.set(stopped.get() || !matches!(told, Ok(ControlFlow::Continue(()))));
        let mut outcome = outcome.borrow_mut();
        if let (Err(error), true) = (told, outcome.is_ok()) {
            *outcome = Err(error);
        }
        asked(stopped.get())
    };
    let reporter = Reporter { tell: &|message| heard(Ok(Heard::Message(message))), asked: &|| heard(Ok(Heard::Waiting)) };
    for task in tasks {
        if heard(done_by(worker, task, &reporter).map(Heard::Done)).is_break() {
            break;
        }
    }
    outcome.into_inner()
}

fn work_beside<W: Sync, T: Sync, M: Send, D: Send>(
    workers: &[W],
    tasks: &[T],
    done_by: impl Fn(&W, &T, &Reporter<M>) -> Result<D, Error> + Sync,
    hear: &mut dyn FnMut(Heard<M, D>) -> Result<ControlFlow<()>, Error>,
) -> Result<(), Error> {
    let state = TaskState { waiting: (0..tasks.len()).collect(), at_work: 0, workers: workers.len(), stopped: false };
    let queue = Tasks { state: Mutex::new(state), changed: Condvar::new() };
    let (sender, receiver) = mpsc::channel::<Result<Heard<M, D>, Error>>();
    std::thread::scope(|scope| {
        for worker in workers {
            let (sender, queue, done_by) = (sender.clone(), &queue, &done_by);
            scope.spawn(move || {
                let asked = || asked(queue.state().stopped);
                let tell = |message| {
                    let _ = sender.send(Ok(Heard::Message(message)));
                    asked()
                };
                let reporter = Reporter { tell: &tell, asked: &asked };
                while let Some(task) = queue.take() {
                    let work = || done_by(worker, &tasks[task], &reporter);
                    match with_loss(work, || queue.stop()) {
                        Err(error) if error.is_of_device() && queue.give_back(task) => {
                            let _ = sender.send(Ok(Heard::Lost(error)));
                            return;
                        }
                        done => {
                            let _ = sender.send(done.map(Heard::Done));
                            queue.finish();
                        }
                    }
                }
            });
        }
        drop(sender);
        let mut outcome = Ok(());
        loop {
            let heard = match receiver.recv_timeout(MOMENT) {
                Ok(heard) => heard,
                Err(RecvTimeoutError::Timeout) => Ok(Heard::Waiting),
                Err(RecvTimeoutError::Disconnected) => return outcome,
            };
            let told = heard.and_then(&mut *hear);
            if !matches!(told, Ok(ControlFlow::Continue(()))) {
                queue.stop();
            }
            if let (Err(error), true) = (told, outcome.is_ok()) {
                outcome = Err(error);
            }
        }
    })
}

/// The loss of a device, which an operation panics with, as an error; before any other panic goes on, something is done.
pub(crate) fn with_loss<D>(work: impl FnOnce() -> Result<D, Error>, before_panic: impl FnOnce()) -> Result<D, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| match CudaError::of_panic(&*panic) {
        Some(lost) => Err(Error::Model(lost.into())),
        None => {
            before_panic();
            resume_unwind(panic)
        }
    })
}

fn asked(to_stop: bool) -> ControlFlow<()> {
    if to_stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lincah_model::{CudaError, ModelError};
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn device_failure() -> Error {
        Error::Model(ModelError::Cuda(CudaError::NoDevice { ordinal: 1, count: 1 }))
    }

    /// What is done by whom, in the order of the tasks, and how many were lost.
    fn all(
        workers: usize,
        tasks: usize,
        done_by: impl Fn(usize, usize) -> Result<usize, Error> + Sync,
    ) -> (Result<(), Error>, Vec<Option<usize>>, usize) {
        let (mut done, mut lost): (Vec<Option<usize>>, usize) = (vec![None; tasks], 0);
        let (workers, tasks): (Vec<usize>, Vec<usize>) = ((0..workers).collect(), (0..tasks).collect());
        let with_place = |worker: &usize, task: &usize, _: &Reporter<()>| Ok((*task, done_by(*worker, *task)?));
        let outcome = work(&workers, &tasks, with_place, &mut |heard| {
            match heard {
                Heard::Done((task, by)) => assert_eq!(done[task].replace(by), None::<usize>, "task {task} is done twice"),
                Heard::Lost(_) => lost += 1,
                Heard::Message(()) | Heard::Waiting => {}
            }
            Ok(ControlFlow::Continue(()))
        });
        (outcome, done, lost)
    }

    #[test]
    fn workers_work_at_the_same_time_and_each_task_is_done_once() {
        // Neither passes before the other is there.
        let barrier = Barrier::new(2);
        let (outcome, done, lost) = all(2, 8, |worker, _| {
            barrier.wait();
            Ok(worker)
        });
        assert!(outcome.is_ok() && lost == 0);
        assert_eq!(done.iter().flatten().filter(|by| **by == 0).count(), 4);
    }

    #[test]
    fn a_failed_device_leaves_its_task_to_others_even_to_those_that_wait() {
        let (both, is_first) = (Barrier::new(2), AtomicBool::new(true));
        let (outcome, done, lost) = all(2, 2, |worker, _| {
            if worker == 1 || is_first.swap(false, Ordering::Relaxed) {
                both.wait();
            }
            match worker {
                0 => Ok(0),
                _ => {
                    std::thread::sleep(Duration::from_millis(50)); // The other has nothing left to do by now.
                    Err(device_failure())
                }
            }
        });
        assert!(outcome.is_ok(), "{outcome:?}");
        assert_eq!((done, lost), (vec![Some(0), Some(0)], 1));
    }

    #[test]
    fn the_last_device_s_failure_and_any_other_error_end_all() {
        let (outcome, done, _) = all(2, 5, |_, _| Err(device_failure()));
        assert!(outcome.unwrap_err().is_of_device() && done.iter().all(Option::is_none));
        let (outcome, ..) = all(2, 5, |_, task| if task == 2 { Err(Error::NothingToScore) } else { Ok(task) });
        assert!(matches!(outcome, Err(Error::NothingToScore)));
    }

    #[test]
    fn who_is_asked_to_stop_hears_so() {
        let endless = |_: &(), _: &(), reporter: &Reporter<()>| {
            while reporter.tell(()).is_continue() {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(Error::Interrupted { step: 0, steps: 0, folder: None })
        };
        for workers in [[()].as_slice(), &[(), ()]] {
            let mut heard = 0;
            let outcome = work(workers, &[(), (), ()], endless, &mut |_: Heard<(), ()>| {
                heard += 1;
                Ok(asked(heard >= 9))
            });
            assert!(matches!(outcome, Err(Error::Interrupted { .. })) && heard >= 9);
        }
    }

    #[test]
    fn a_stop_between_two_tasks_is_no_end_and_one_after_the_last_is() {
        // All but the first end when they hear of the stop.
        let until_stopped = |_: &(), task: &usize, reporter: &Reporter<()>| {
            while *task > 0 && reporter.asked().is_continue() {
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        };
        let stopped_after_the_first = |workers: &[()], tasks: &[usize]| {
            work(workers, tasks, until_stopped, &mut |heard| Ok(asked(matches!(heard, Heard::Done(())))))
        };
        for (workers, tasks) in [([()].as_slice(), [0].as_slice()), (&[(), ()], &[0, 1])] {
            assert!(stopped_after_the_first(workers, tasks).is_ok());
            assert!(matches!(stopped_after_the_first(workers, &[0, 1, 2, 3]), Err(Error::Interrupted { .. })));
        }
    }
}
