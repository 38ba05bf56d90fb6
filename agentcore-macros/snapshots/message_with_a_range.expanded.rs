#[derive(
    ::agentcore::__private::serde::Serialize,
    ::agentcore::__private::serde::Deserialize,
    ::agentcore::__private::schemars::JsonSchema
)]
#[serde(crate = ":: agentcore :: __private :: serde")]
#[schemars(crate = ":: agentcore :: __private :: schemars")]
struct History {
    #[schemars(range(min = 1i64), extend("exclusiveMaximum" = 100i64))]
    limit: u8,
}
const _: () = {
    use ::agentcore::__private as __agentcore;
    #[automatically_derived]
    impl __agentcore::Validate for History {
        fn validate(&self, __agentcore_report: &mut __agentcore::ValidationReport) {
            __agentcore_report
                .field(
                    "limit",
                    |__agentcore_report| {
                        __agentcore::rules::range(
                            &self.limit,
                            __agentcore::rules::RangeBounds {
                                min: __agentcore::Some(1),
                                max: __agentcore::None,
                                exclusive_min: __agentcore::None,
                                exclusive_max: __agentcore::Some(100),
                            },
                            __agentcore::None,
                            __agentcore_report,
                        );
                    },
                );
        }
    }
    #[automatically_derived]
    impl __agentcore::Payload for History {
        const NAME: __agentcore::Option<&'static str> = __agentcore::Some("history");
    }
    #[automatically_derived]
    impl __agentcore::Message for History {
        const TYPE: &'static str = "history";
    }
    __agentcore::inventory::submit! {
        __agentcore::MessageEntry { description : __agentcore::Description::of:: <
        History > () }
    }
};
