//! `agentcore.welcome`: the first message to a client that chose one of the framework's subprotocols.

use serde::Serialize;

use super::reply::send;
use crate::id::ConnectionId;
use crate::manager::ConnectionManager;
use crate::registry::Connection;
use crate::time::millis;

#[derive(Serialize)]
struct Welcome<'a> {
    connection_id: ConnectionId,
    node: &'a str,
    /// Absent without a heartbeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    heartbeat_ms: Option<u64>,
    reconnect: ReconnectHint,
}

#[derive(Serialize)]
struct ReconnectHint {
    max_attempts: u32,
    delay_ms: u64,
}

/// Sends the client its connection id, the node's name, the heartbeat interval and how to reconnect.
pub(super) fn send_welcome(connection: &Connection, manager: &ConnectionManager) {
    let settings = manager.settings();
    let data = Welcome {
        connection_id: connection.id(),
        node: manager.node().as_str(),
        heartbeat_ms: settings.heartbeat().map(|(interval, _)| millis(interval)),
        reconnect: ReconnectHint {
            max_attempts: settings.ws_reconnect_max_attempts,
            delay_ms: millis(settings.ws_reconnect_delay),
        },
    };
    if let Ok(frame) = connection.codec().encode("agentcore.welcome", None, Some(&data)) {
        send(connection, frame.into_bytes());
    }
}
