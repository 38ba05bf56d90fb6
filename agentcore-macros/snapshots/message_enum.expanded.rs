#[derive(
    ::agentcore::__private::serde::Serialize,
    ::agentcore::__private::serde::Deserialize,
    ::agentcore::__private::schemars::JsonSchema
)]
#[serde(crate = ":: agentcore :: __private :: serde")]
#[schemars(crate = ":: agentcore :: __private :: schemars")]
enum Target {
    Room { #[schemars(length(min = 1i64))] room: String },
    User(#[schemars(email)] String),
    Everyone,
}
const _: () = {
    use ::agentcore::__private as __agentcore;
    #[automatically_derived]
    impl __agentcore::Validate for Target {
        fn validate(&self, __agentcore_report: &mut __agentcore::ValidationReport) {
            #[allow(unreachable_patterns)]
            match self {
                Self::Room { room: __agentcore_room, .. } => {
                    __agentcore_report
                        .field(
                            "Room",
                            |__agentcore_report| {
                                __agentcore_report
                                    .field(
                                        "room",
                                        |__agentcore_report| {
                                            __agentcore::rules::length(
                                                __agentcore_room,
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
                            },
                        );
                }
                Self::User { 0: __agentcore_0, .. } => {
                    __agentcore_report
                        .field(
                            "User",
                            |__agentcore_report| {
                                __agentcore::rules::email(
                                    __agentcore_0,
                                    __agentcore::None,
                                    __agentcore_report,
                                );
                            },
                        );
                }
                _ => {}
            }
        }
    }
    #[automatically_derived]
    impl __agentcore::Payload for Target {
        const NAME: __agentcore::Option<&'static str> = __agentcore::None;
    }
    __agentcore::inventory::submit! {
        __agentcore::MessageEntry { description : __agentcore::Description::of:: < Target
        > () }
    }
};
