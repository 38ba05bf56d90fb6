//! The argument `crate`: the framework is at another path.
#![deny(warnings)]

mod inner {
    pub mod framework {
        pub use ::agentcore::*;
    }
}

use inner::framework::prelude::*;

#[message("say", crate = crate::inner::framework)]
struct Say {
    #[validate(length(min = 1), regex = "a", email)]
    text: String,
}

#[message("unit", crate = crate::inner::framework)]
struct Unit;

#[consumer(path = "/ws/{id}", sends(Say, Unit), crate = crate::inner::framework)]
struct Chat {
    #[path]
    id: String,
}

#[consumer(crate = crate::inner::framework)]
impl Chat {
    #[on("say")]
    async fn say(&mut self, cx: &Context<Self>, msg: Say) -> Result<Unit> {
        let _ = (&self.id, msg.text);
        cx.send(&Unit).await?;
        Ok(Unit)
    }
}

#[inner::framework::main(crate = crate::inner::framework)]
async fn main() {}
