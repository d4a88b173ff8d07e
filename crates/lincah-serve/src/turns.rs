//! Who computes next: whoever has waited longest. Each batch takes all cores; several at once would be no faster, and some would wait for long.

use std::sync::{Condvar, Mutex, PoisonError};

/// Numbers are drawn, and called one after the other.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// The next number to draw, and the one whose turn it is.
    numbers: Mutex<(u64, u64)>,
    called: Condvar,
}

/// A turn, which ends when it is dropped.
pub(crate) struct Turn<'a>(&'a Turns);

impl Turns {
    /// Waits until all who came before have had their turn.
    pub(crate) fn wait(&self) -> Turn<'_> {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let own = numbers.0;
        numbers.0 += 1;
        while numbers.1 != own {
            numbers = self.called.wait(numbers).unwrap_or_else(PoisonError::into_inner);
        }
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.numbers.lock().unwrap_or_else(PoisonError::into_inner).1 += 1;
        self.0.called.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn turns_come_in_the_order_of_the_calls() {
        let turns = Turns::default();
        let order = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            let first = turns.wait();
            for number in 0..4 {
                let (turns, order) = (&turns, &order);
                scope.spawn(move || {
                    let _turn = turns.wait();
                    order.lock().unwrap().push(number);
                });
                while turns.numbers.lock().unwrap().0 < number + 2 {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            assert!(order.lock().unwrap().is_empty());
            drop(first);
        });
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3]);
    }
}
