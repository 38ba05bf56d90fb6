struct Chat<S: Store>
where
    S: Send,
{
    store: S,
}
const _: () = {
    use ::agentcore::__private as __agentcore;
    #[automatically_derived]
    impl<S: Store> __agentcore::ConsumerStruct for Chat<S>
    where
        S: Send,
    {
        const NAME: &'static str = "Chat";
        const PATH: &'static str = "/ws";
        fn sends() -> __agentcore::Vec<__agentcore::Description> {
            __agentcore::Vec::from([__agentcore::sent::<Self, Said>()])
        }
        fn mount() -> __agentcore::Mount {
            __agentcore::mount::<Self>()
        }
        fn required() -> __agentcore::Vec<__agentcore::RequiredState> {
            __agentcore::Vec::from([__agentcore::state_field::<S>().required()])
        }
        fn construct(
            __agentcore_request: &__agentcore::UpgradeRequest<'_>,
        ) -> __agentcore::Result<Self> {
            __agentcore::Ok(Self {
                store: __agentcore::state_field::<S>().get(__agentcore_request)?,
            })
        }
    }
    #[automatically_derived]
    impl<S: Store> __agentcore::SentBy<Chat<S>> for Said
    where
        S: Send,
    {}
};
