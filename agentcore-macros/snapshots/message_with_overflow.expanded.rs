#[derive(
    ::agentcore::__private::serde::Serialize,
    ::agentcore::__private::serde::Deserialize,
    ::agentcore::__private::schemars::JsonSchema
)]
#[serde(crate = ":: agentcore :: __private :: serde")]
#[schemars(crate = ":: agentcore :: __private :: schemars")]
struct Cursor {
    room: String,
    user_id: UserId,
    x: f64,
}
const _: () = {
    use ::agentcore::__private as __agentcore;
    #[automatically_derived]
    impl __agentcore::Validate for Cursor {
        fn validate(&self, __agentcore_report: &mut __agentcore::ValidationReport) {}
    }
    #[automatically_derived]
    impl __agentcore::Payload for Cursor {
        const NAME: __agentcore::Option<&'static str> = __agentcore::Some("cursor");
    }
    #[automatically_derived]
    impl __agentcore::Message for Cursor {
        const TYPE: &'static str = "cursor";
        fn overflow(&self) -> __agentcore::Overflow {
            __agentcore::Overflow::Latest(
                __agentcore::OverflowKey::new(
                    <Self as __agentcore::Message>::TYPE,
                    &(&self.room, &self.user_id),
                ),
            )
        }
    }
    __agentcore::inventory::submit! {
        __agentcore::MessageEntry { description : __agentcore::Description::of:: < Cursor
        > () }
    }
};
