struct Echo;
const _: () = {
    use ::agentcore::__private as __agentcore;
    #[automatically_derived]
    impl __agentcore::ConsumerStruct for Echo {
        const NAME: &'static str = "Echo";
        const PATH: &'static str = "/ws";
        fn sends() -> __agentcore::Vec<__agentcore::Description> {
            __agentcore::Vec::from([])
        }
        fn mount() -> __agentcore::Mount {
            __agentcore::mount::<Self>()
        }
        fn required() -> __agentcore::Vec<__agentcore::RequiredState> {
            __agentcore::Vec::from([])
        }
        fn construct(
            __agentcore_request: &__agentcore::UpgradeRequest<'_>,
        ) -> __agentcore::Result<Self> {
            __agentcore::Ok(Self)
        }
    }
    __agentcore::inventory::submit! {
        __agentcore::MountEntry { mount : < Echo as __agentcore::ConsumerStruct > ::mount
        }
    }
};
