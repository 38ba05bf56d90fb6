/// Asks for the list of rooms.
struct ListRooms;
const _: () = {
    use ::agentcore::__private as __agentcore;
    #[derive(
        ::agentcore::__private::serde::Serialize,
        ::agentcore::__private::serde::Deserialize,
        ::agentcore::__private::schemars::JsonSchema
    )]
    #[serde(crate = ":: agentcore :: __private :: serde")]
    #[schemars(crate = ":: agentcore :: __private :: schemars")]
    #[serde(rename = "ListRooms")]
    /// Asks for the list of rooms.
    struct __AgentcoreBraces {}
    #[automatically_derived]
    impl __agentcore::serde::Serialize for ListRooms {
        fn serialize<__AgentcoreS: __agentcore::serde::Serializer>(
            &self,
            __agentcore_serializer: __AgentcoreS,
        ) -> __agentcore::Result<__AgentcoreS::Ok, __AgentcoreS::Error> {
            __agentcore::serde::Serialize::serialize(
                &__AgentcoreBraces {},
                __agentcore_serializer,
            )
        }
    }
    #[automatically_derived]
    impl<'__agentcore> __agentcore::serde::Deserialize<'__agentcore> for ListRooms {
        fn deserialize<__AgentcoreD: __agentcore::serde::Deserializer<'__agentcore>>(
            __agentcore_deserializer: __AgentcoreD,
        ) -> __agentcore::Result<Self, __AgentcoreD::Error> {
            let __AgentcoreBraces {} = __agentcore::serde::Deserialize::deserialize(
                __agentcore_deserializer,
            )?;
            __agentcore::Ok(ListRooms)
        }
    }
    #[automatically_derived]
    impl __agentcore::schemars::JsonSchema for ListRooms {
        fn schema_name() -> __agentcore::Cow<'static, str> {
            <__AgentcoreBraces as __agentcore::schemars::JsonSchema>::schema_name()
        }
        fn schema_id() -> __agentcore::Cow<'static, str> {
            __agentcore::Cow::Borrowed(
                ::core::concat!(
                    ::core::module_path!(), "::", ::core::stringify!(ListRooms)
                ),
            )
        }
        fn json_schema(
            __agentcore_generator: &mut __agentcore::schemars::SchemaGenerator,
        ) -> __agentcore::schemars::Schema {
            <__AgentcoreBraces as __agentcore::schemars::JsonSchema>::json_schema(
                __agentcore_generator,
            )
        }
    }
    #[automatically_derived]
    impl __agentcore::Validate for ListRooms {
        fn validate(&self, __agentcore_report: &mut __agentcore::ValidationReport) {}
    }
    #[automatically_derived]
    impl __agentcore::Payload for ListRooms {
        const NAME: __agentcore::Option<&'static str> = __agentcore::Some("list_rooms");
    }
    #[automatically_derived]
    impl __agentcore::Message for ListRooms {
        const TYPE: &'static str = "list_rooms";
    }
    __agentcore::inventory::submit! {
        __agentcore::MessageEntry { description : __agentcore::Description::of:: <
        ListRooms > () }
    }
};
