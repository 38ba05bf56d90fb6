#[derive(
    crate::framework::__private::serde::Serialize,
    crate::framework::__private::serde::Deserialize,
    crate::framework::__private::schemars::JsonSchema
)]
#[serde(crate = "crate :: framework :: __private :: serde")]
#[schemars(crate = "crate :: framework :: __private :: schemars")]
struct Say {
    text: String,
}
const _: () = {
    use crate::framework::__private as __agentcore;
    #[automatically_derived]
    impl __agentcore::Validate for Say {
        fn validate(&self, __agentcore_report: &mut __agentcore::ValidationReport) {}
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
