//! A lock that tells processes that share a database file, but no backend, from those that share both.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

/// An advisory lock on a file beside the database; dropping it, or the end of the process, releases it.
///
/// The database itself cannot be locked: closing any handle of it would release SQLite's own locks.
#[derive(Debug)]
pub(crate) struct ProcessLock {
    _file: File,
}

impl ProcessLock {
    /// Locks the database at `path` for a process without other nodes, or together with the nodes of one backend.
    /// Returns `None` if a process holds a lock that excludes this one.
    ///
    /// # Errors
    /// The lock file cannot be created, or its file system has no locks.
    pub(crate) fn acquire(path: &Path, is_single_node: bool) -> io::Result<Option<Self>> {
        let mut name = OsString::from(path);
        name.push("-lock");
        let file = File::options().create(true).truncate(false).write(true).open(name)?;
        let locked = if is_single_node { file.try_lock() } else { file.try_lock_shared() };
        match locked {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that meets the unexpected must fail")]

    use ::tests::chat::TempFolder;

    use super::*;

    #[test]
    fn only_nodes_of_one_backend_share_a_file() {
        let folder = TempFolder::new();
        let path = folder.path().join("chat.db");
        let acquire = |is_single_node| ProcessLock::acquire(&path, is_single_node).unwrap();
        let single = acquire(true);
        assert!(single.is_some() && acquire(true).is_none() && acquire(false).is_none());
        drop(single);
        let nodes = [acquire(false), acquire(false)];
        assert!(nodes.iter().all(Option::is_some) && acquire(true).is_none());
        drop(nodes);
        assert!(acquire(true).is_some());
        assert!(ProcessLock::acquire(&folder.path().join("missing").join("chat.db"), true).is_err());
    }
}
