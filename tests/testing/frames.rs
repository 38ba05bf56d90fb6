//! Frames that no correct client sends, fragments, pings.

use crate::{Say, Who, You, say, start};

const TEXT: u8 = 1;
const CONTINUATION: u8 = 0;

#[tokio::test]
async fn a_message_may_come_in_fragments() {
    let app = start().await;
    let mut alice = app.connect("/room/alice").await;
    alice.send_frame(false, TEXT, br#"{"type":"#).await;
    alice.ping("in between").await;
    alice.send_frame(true, CONTINUATION, br#""no_such_type"}"#).await;
    alice.expect_error("UNKNOWN_MESSAGE_TYPE").await;
    alice.expect_nothing().await;
}

#[tokio::test]
async fn frames_that_break_the_protocol_close_with_1002() {
    let app = start().await;
    for (last, opcode) in [(true, 3), (true, CONTINUATION), (false, 9)] {
        let mut alice = app.connect("/room/alice").await;
        alice.send_frame(last, opcode, b"x").await;
        alice.expect_close(1002).await;
    }
    let mut unmasked = app.connect("/room/alice").await;
    unmasked.send_bytes([0x81, 1, b'x']).await;
    unmasked.expect_close(1002).await;
}

#[tokio::test]
async fn a_binary_frame_on_a_connection_that_speaks_json_closes_with_1003() {
    let app = start().await;
    let mut alice = app.connect("/room/alice").await;
    alice.send_binary([0x80]).await;
    alice.expect_close(1003).await;
}

#[tokio::test]
async fn a_ping_is_answered_while_a_handler_runs() {
    let app = start().await;
    let mut alice = app.connect("/room/alice").await;
    alice.send(&Say { after_ms: 50, ..say("slow") }).await;
    alice.ping(*b"are you there?").await;
    let _: You = alice.request(&Who {}).await;
}
