#[derive(
    ::agentcore::__private::serde::Serialize,
    ::agentcore::__private::serde::Deserialize,
    ::agentcore::__private::schemars::JsonSchema
)]
#[serde(crate = ":: agentcore :: __private :: serde")]
#[schemars(crate = ":: agentcore :: __private :: schemars")]
struct RoomRef {
    #[schemars(length(min = 1i64))]
    room: String,
}
const _: () = {
    use ::agentcore::__private as __agentcore;
    #[automatically_derived]
    impl __agentcore::Validate for RoomRef {
        fn validate(&self, __agentcore_report: &mut __agentcore::ValidationReport) {
            __agentcore_report
                .field(
                    "room",
                    |__agentcore_report| {
                        __agentcore::rules::length(
                            &self.room,
                            __agentcore::rules::LengthBounds {
                                min: __agentcore::Some(1),
                                max: __agentcore::None,
                                equal: __agentcore::None,
                            },
                            __agentcore::None,
                            __agentcore_report,
                        );
                    },
                );
        }
    }
    #[automatically_derived]
    impl __agentcore::Payload for RoomRef {
        const NAME: __agentcore::Option<&'static str> = __agentcore::None;
    }
    __agentcore::inventory::submit! {
        __agentcore::MessageEntry { description : __agentcore::Description::of:: <
        RoomRef > () }
    }
};
