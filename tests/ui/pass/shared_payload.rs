//! A payload without a message type, which two handlers share; all items are in a function.
#![deny(warnings)]

use agentcore::__private::ConsumerHandlers as _;
use agentcore::prelude::*;

fn main() {
    #[message]
    struct RoomRef {
        #[validate(length(min = 1))]
        room: String,
    }

    #[consumer(path = "/ws")]
    struct Chat {
        typing: bool,
    }

    #[consumer]
    impl Chat {
        #[on("typing_start")]
        async fn start(&mut self, msg: RoomRef) {
            self.typing = !msg.room.is_empty();
        }

        #[on("typing_stop")]
        async fn stop(&mut self, _msg: RoomRef) {
            self.typing = false;
        }
    }

    assert_eq!(Chat::find("typing_stop"), Some(1));
}
