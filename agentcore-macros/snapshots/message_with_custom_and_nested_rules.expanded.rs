#[derive(
    ::agentcore::__private::serde::Serialize,
    ::agentcore::__private::serde::Deserialize,
    ::agentcore::__private::schemars::JsonSchema
)]
#[serde(crate = ":: agentcore :: __private :: serde")]
#[schemars(crate = ":: agentcore :: __private :: schemars")]
struct Say {
    author: Option<Author>,
}
const _: () = {
    use ::agentcore::__private as __agentcore;
    #[automatically_derived]
    impl __agentcore::Validate for Say {
        fn validate(&self, __agentcore_report: &mut __agentcore::ValidationReport) {
            __agentcore_report
                .field(
                    "author",
                    |__agentcore_report| {
                        {
                            #[allow(unused_imports)]
                            use __agentcore::rules::CheckValue as _;
                            __agentcore::rules::Custom(&self.author)
                                .check(
                                    |__agentcore_value| not_admin(__agentcore_value),
                                    __agentcore_report,
                                );
                        }
                        __agentcore::rules::nested(&self.author, __agentcore_report);
                    },
                );
        }
    }
    #[automatically_derived]
    impl __agentcore::Payload for Say {
        const NAME: __agentcore::Option<&'static str> = __agentcore::Some("say");
    }
    #[automatically_derived]
    impl __agentcore::Message for Say {
        const TYPE: &'static str = "say";
    }
    __agentcore::inventory::submit! {
        __agentcore::MessageEntry { description : __agentcore::Description::of:: < Say >
        () }
    }
};
