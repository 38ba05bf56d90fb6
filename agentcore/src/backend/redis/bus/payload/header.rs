//! The first ten bytes of every payload between nodes: version (u8), kind (u8), sender (u64).

use bytes::BufMut;

use super::cursor::Cursor;

/// The version that this software writes, and the only one it reads.
pub(super) const VERSION: u8 = 1;

pub(super) const BATCH: u8 = 0;
pub(super) const UNSEQUENCED: u8 = 1;
pub(super) const CONTROL: u8 = 2;

/// Starts a payload of a kind. `sender` is the incarnation of the sending node.
pub(super) fn start(kind: u8, sender: u64) -> Vec<u8> {
    let mut buffer = vec![VERSION, kind];
    buffer.put_u64(sender);
    buffer
}

/// Reads the kind and the sender; `None` if the payload is damaged or of another version.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Option<(u8, u64)> {
    if cursor.u8()? != VERSION {
        return None;
    }
    Some((cursor.u8()?, cursor.u64()?))
}
