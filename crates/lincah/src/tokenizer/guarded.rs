//! The seam to the tokenizer library, parts of which panic on files that are odd rather than broken: a panic becomes an error.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

const LONGEST_MESSAGE: usize = 200;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Calls the library. A panic of it is not printed and is an error with its message; other panics are printed as before.
pub(super) fn guarded<T>(call: impl FnOnce() -> tokenizers::Result<T>) -> tokenizers::Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !GUARDED.get() {
                print(panic);
            }
        }));
    });
    let outer = GUARDED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(call));
    GUARDED.set(outer);
    result.unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref().copied());
        let line: String =
            text.unwrap_or("no message").lines().next().unwrap_or_default().chars().take(LONGEST_MESSAGE).collect();
        Err(format!("the tokenizer library fails on it: {line}").into())
    })
}

#[cfg(test)]
mod tests {
    use super::guarded;

    #[test]
    fn a_panic_becomes_an_error_of_one_line() {
        let error = guarded::<()>(|| panic!("first\nsecond")).unwrap_err();
        assert_eq!(error.to_string(), "the tokenizer library fails on it: first");
        let long = guarded::<()>(|| panic!("{}", "é".repeat(1000))).unwrap_err();
        assert!(long.to_string().len() < 500);
        assert_eq!(guarded(|| Ok(guarded(|| Ok(3)).unwrap())).unwrap(), 3);
        assert!(std::panic::catch_unwind(|| panic!("not guarded")).is_err());
    }
}
