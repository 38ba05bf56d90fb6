//! Removal of rooms that nobody uses.

use std::time::Duration;

use agentcore::prelude::*;
use agentcore::tokio::time::sleep;

use crate::store::{Room, Store};

/// Minimum age of a public room that is removed because it has neither members nor messages.
const MIN_AGE: Duration = Duration::from_secs(3600);

/// Pause between two searches for such rooms. The first search waits too: after a restart, members join again.
const SEARCH_INTERVAL: Duration = Duration::from_secs(600);

/// Rooms whose members are counted in one call.
const COUNTED_AT_ONCE: usize = 1000;

/// Starts the task that removes abandoned rooms, on every node.
pub(crate) fn start_removal(store: Store, manager: ConnectionManager) {
    let supervisor = manager.supervisor().clone();
    supervisor.spawn("chat.rooms", move || {
        let (store, manager) = (store.clone(), manager.clone());
        async move {
            loop {
                sleep(SEARCH_INTERVAL).await;
                if let Err(error) = remove_abandoned(&store, &manager, Timestamp::now().before(MIN_AGE)).await {
                    tracing::warn!("abandoned rooms are not removed for now: {error}");
                }
            }
        }
    });
}

/// Removes the public rooms without members and messages that were created before this time.
pub(crate) async fn remove_abandoned(
    store: &Store,
    manager: &ConnectionManager,
    created_before: Timestamp,
) -> Result<()> {
    let rooms = store.rooms_without_messages(&created_before.to_string()).await?;
    for rooms in rooms.chunks(COUNTED_AT_ONCE) {
        let counts = manager.present_counts(rooms.iter().map(|room| &room.name)).await?;
        for (room, _) in rooms.iter().zip(counts).filter(|(_, users)| *users == 0) {
            remove_if_empty(store, manager, room).await?;
        }
    }
    Ok(())
}

/// Removes a room, unless it has members or messages.
pub(crate) async fn remove_if_empty(store: &Store, manager: &ConnectionManager, room: &Room) -> Result<()> {
    if manager.present_count(&room.name).await? > 0 || !store.remove_without_messages(room).await? {
        return Ok(());
    }
    // A user may have entered between the two calls above.
    if manager.present_count(&room.name).await? > 0 {
        store.create_room(&room.name, &room.created_by, room.is_public).await?;
    }
    Ok(())
}

/// Creates a public room again that was removed while a user entered it. The user has found no messages in it; a room
/// with messages is never removed.
pub(crate) async fn restore_if_removed(store: &Store, entered: &Room) -> Result<()> {
    if entered.is_public && store.room(&entered.name).await?.is_none() {
        store.create_room(&entered.name, &entered.created_by, true).await?;
    }
    Ok(())
}
