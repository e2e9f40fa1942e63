//! The border that no panic crosses.

use std::{cell::Cell, panic};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`; a panic in it is an error that holds its message, and prints nothing.
///
/// A panic is a bug of ours, so the caller makes it an error finding and fails the run.
pub(crate) fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    install_hook();
    let before = GUARDED.with(|guarded| guarded.replace(true));
    // Whatever the work shares with others is only read, so a panic leaves nothing half-written behind.
    let result = panic::catch_unwind(panic::AssertUnwindSafe(work));
    GUARDED.with(|guarded| guarded.set(before));
    result.map_err(|payload| {
        let text = payload.downcast_ref::<&str>().map(|it| (*it).to_owned());
        text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
    })
}

fn install_hook() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let default = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.with(Cell::get) {
                default(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_message() {
        assert_eq!(quietly(|| 1), Ok(1));
        let caught: Result<(), _> = quietly(|| panic!("at {}", 7));
        assert_eq!(caught, Err("at 7".to_owned()));
    }
}
