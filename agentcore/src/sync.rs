//! The lock that the model checker can replace: `std`'s in a build for use, shuttle's with feature `model`.

#[cfg(not(feature = "model"))]
pub(crate) use std::sync::{Mutex, MutexGuard};

#[cfg(feature = "model")]
pub(crate) use shuttle::sync::{Mutex, MutexGuard};

/// Locks, also after a panic of another holder: user code never runs under a lock of ours, and what is guarded is
/// changed in steps that leave it whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
