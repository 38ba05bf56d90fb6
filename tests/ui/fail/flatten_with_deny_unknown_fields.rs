use agentcore::prelude::*;

#[message]
#[serde(tag = "kind")]
enum Shape {
    Circle { radius: u32 },
}

#[message("draw")]
#[serde(deny_unknown_fields)]
struct Draw {
    layer: u8,
    #[serde(flatten)]
    shape: Shape,
}

#[message]
#[serde(tag = "kind", deny_unknown_fields)]
enum Change {
    Redraw {
        #[serde(flatten)]
        shape: Shape,
    },
}

fn main() {}
