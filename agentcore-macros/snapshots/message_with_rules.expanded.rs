#[derive(
    ::agentcore::__private::serde::Serialize,
    ::agentcore::__private::serde::Deserialize,
    ::agentcore::__private::schemars::JsonSchema
)]
#[serde(crate = ":: agentcore :: __private :: serde")]
#[schemars(crate = ":: agentcore :: __private :: schemars")]
#[serde(rename_all = "camelCase")]
struct Say {
    #[schemars(length(min = 1i64, max = 50i64), regex(pattern = "^[a-z]+$"))]
    room_name: String,
    text: String,
}
const _: () = {
    use ::agentcore::__private as __agentcore;
    static __AGENTCORE_PATTERN_0: __agentcore::rules::InlinePattern = __agentcore::rules::InlinePattern::new(
        "^[a-z]+$",
    );
    #[automatically_derived]
    impl __agentcore::Validate for Say {
        fn validate(&self, __agentcore_report: &mut __agentcore::ValidationReport) {
            __agentcore_report
                .field(
                    "roomName",
                    |__agentcore_report| {
                        __agentcore::rules::length(
                            &self.room_name,
                            __agentcore::rules::LengthBounds {
                                min: __agentcore::Some(1),
                                max: __agentcore::Some(50),
                                equal: __agentcore::None,
                            },
                            __agentcore::Some("must name a room"),
                            __agentcore_report,
                        );
                        __agentcore::rules::regex(
                            &self.room_name,
                            &__AGENTCORE_PATTERN_0,
                            __agentcore::None,
                            __agentcore_report,
                        );
                    },
                );
        }
    }
    #[automatically_derived]
    impl __agentcore::Payload for Say {
        const NAME: __agentcore::Option<&'static str> = __agentcore::Some(
            "chat_message",
        );
        fn check_rules() -> __agentcore::Result<
            (),
            __agentcore::Vec<__agentcore::String>,
        > {
            __agentcore::rules::check_inline("Say", &[&__AGENTCORE_PATTERN_0])
        }
    }
    #[automatically_derived]
    impl __agentcore::Message for Say {
        const TYPE: &'static str = "chat_message";
    }
    __agentcore::inventory::submit! {
        __agentcore::MessageEntry { description : __agentcore::Description::of:: < Say >
        () }
    }
};
