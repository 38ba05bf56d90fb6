impl Chat {
    async fn room_users(&mut self, msg: RoomRef) -> Result<RoomUsers> {
        self.users(msg.room).await
    }
}
const _: () = {
    use ::agentcore::__private as __agentcore;
    #[allow(non_camel_case_types, clippy::enum_variant_names)]
    enum __AgentcoreIndex {
        room_users,
    }
    #[allow(non_upper_case_globals)]
    const __agentcore_decoder_room_users: __agentcore::PayloadDecoder<RoomRef> = __agentcore::payload_decoder::<
        RoomRef,
    >();
    const _: () = __agentcore::same_message_type(
        __agentcore_decoder_room_users.description,
        "get_room_users",
        "room_users",
        "RoomRef",
    );
    #[automatically_derived]
    impl __agentcore::ConsumerHandlers for Chat {
        const HANDLERS: &'static [__agentcore::Handler] = &[
            __agentcore::Handler {
                message_type: "get_room_users",
                method: "room_users",
                rate_limit: __agentcore::HandlerRateLimit::Shared,
                timeout: __agentcore::None,
                cancel_safe: false,
                receives: __agentcore::Some(__agentcore_decoder_room_users.description),
                returns: __agentcore::reply_encoder::<Result<RoomUsers>>().description,
            },
        ];
        fn find(__agentcore_type: &str) -> __agentcore::Option<usize> {
            match __agentcore_type {
                "get_room_users" => {
                    __agentcore::Some(__AgentcoreIndex::room_users as usize)
                }
                _ => __agentcore::None,
            }
        }
        fn dispatch<'__agentcore>(
            &'__agentcore mut self,
            __agentcore_cx: &'__agentcore __agentcore::Context<Self>,
            __agentcore_index: usize,
            __agentcore_data: __agentcore::RawData<'_>,
        ) -> __agentcore::Result<__agentcore::HandlerFuture<'__agentcore>> {
            match __agentcore_index {
                __agentcore_index if __agentcore_index
                    == __AgentcoreIndex::room_users as usize => {
                    let __agentcore_owned = (__agentcore_decoder_room_users
                        .decode)(&__agentcore_data)?;
                    __agentcore::Ok(
                        __agentcore::boxed(async move {
                            (__agentcore::reply_encoder::<Result<RoomUsers>>()
                                .encode)(
                                Self::room_users(self, __agentcore_owned).await,
                                __agentcore_cx.reply_target(),
                            )
                        }),
                    )
                }
                _ => __agentcore::Err(__agentcore::no_handler(__agentcore_index)),
            }
        }
    }
    #[allow(dead_code)]
    fn __agentcore_struct_check() {
        __agentcore::has_consumer_struct::<Chat>()
    }
};
