impl Chat {
    async fn typing(&mut self, cx: &Context<Self>, msg: RoomRef) {
        self.typing = true;
    }
    fn not_a_handler(&self) -> bool {
        self.typing
    }
}
const _: () = {
    use ::agentcore::__private as __agentcore;
    #[allow(non_camel_case_types, clippy::enum_variant_names)]
    enum __AgentcoreIndex {
        typing,
    }
    #[allow(non_upper_case_globals)]
    const __agentcore_decoder_typing: __agentcore::PayloadDecoder<RoomRef> = __agentcore::payload_decoder::<
        RoomRef,
    >();
    const _: () = __agentcore::same_message_type(
        __agentcore_decoder_typing.description,
        "typing_start",
        "typing",
        "RoomRef",
    );
    #[automatically_derived]
    impl __agentcore::ConsumerHandlers for Chat {
        const HANDLERS: &'static [__agentcore::Handler] = &[
            __agentcore::Handler {
                message_type: "typing_start",
                method: "typing",
                rate_limit: __agentcore::HandlerRateLimit::Shared,
                timeout: __agentcore::None,
                cancel_safe: false,
                receives: __agentcore::Some(__agentcore_decoder_typing.description),
                returns: __agentcore::reply_encoder::<()>().description,
            },
        ];
        fn find(__agentcore_type: &str) -> __agentcore::Option<usize> {
            match __agentcore_type {
                "typing_start" => __agentcore::Some(__AgentcoreIndex::typing as usize),
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
                    == __AgentcoreIndex::typing as usize => {
                    let __agentcore_owned = (__agentcore_decoder_typing
                        .decode)(&__agentcore_data)?;
                    __agentcore::Ok(
                        __agentcore::boxed(async move {
                            (__agentcore::reply_encoder::<()>()
                                .encode)(
                                Self::typing(self, __agentcore_cx, __agentcore_owned).await,
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
