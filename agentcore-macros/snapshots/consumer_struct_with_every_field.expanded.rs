struct Chat {
    user_id: UserId,
    secret: Option<String>,
    history: History,
    lives: u32,
    lines: u32,
}
const _: () = {
    use ::agentcore::__private as __agentcore;
    #[automatically_derived]
    impl __agentcore::ConsumerStruct for Chat {
        const NAME: &'static str = "Chat";
        const PATH: &'static str = "/ws/{user_id}";
        fn sends() -> __agentcore::Vec<__agentcore::Description> {
            __agentcore::Vec::from([
                __agentcore::sent::<Self, Said>(),
                __agentcore::sent::<Self, RoomUsers>(),
            ])
        }
        fn mount() -> __agentcore::Mount {
            __agentcore::mount::<Self>()
        }
        fn required() -> __agentcore::Vec<__agentcore::RequiredState> {
            __agentcore::Vec::from([__agentcore::state_field::<History>().required()])
        }
        fn construct(
            __agentcore_request: &__agentcore::UpgradeRequest<'_>,
        ) -> __agentcore::Result<Self> {
            #[allow(unused_imports)]
            use __agentcore::ParseParam as _;
            __agentcore::Ok(Self {
                user_id: __agentcore::Param::<UserId>::new("user_id")
                    .parse(__agentcore_request.path("user_id"))?,
                secret: __agentcore::Param::<Option<String>>::new("token")
                    .parse(__agentcore_request.query("token"))?,
                history: __agentcore::state_field::<History>().get(__agentcore_request)?,
                lives: 3 + 4,
                lines: <u32 as ::core::default::Default>::default(),
            })
        }
        fn user(&self) -> __agentcore::Option<&__agentcore::UserId> {
            __agentcore::AsUserId::as_user_id(&self.user_id)
        }
    }
    #[automatically_derived]
    impl __agentcore::SentBy<Chat> for Said {}
    #[automatically_derived]
    impl __agentcore::SentBy<Chat> for RoomUsers {}
    __agentcore::inventory::submit! {
        __agentcore::MountEntry { mount : < Chat as __agentcore::ConsumerStruct > ::mount
        }
    }
};
