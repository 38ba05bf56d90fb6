impl Chat {
    async fn search(&mut self) {}
}
const _: () = {
    use ::agentcore::__private as __agentcore;
    #[allow(non_camel_case_types, clippy::enum_variant_names)]
    enum __AgentcoreIndex {
        search,
    }
    #[automatically_derived]
    impl __agentcore::ConsumerHandlers for Chat {
        const HANDLERS: &'static [__agentcore::Handler] = &[
            __agentcore::Handler {
                message_type: "search",
                method: "search",
                rate_limit: __agentcore::HandlerRateLimit::Own {
                    messages: 10u32,
                    window: __agentcore::Duration::from_millis(60000u64),
                },
                timeout: __agentcore::Some(__agentcore::Duration::from_millis(5000u64)),
                cancel_safe: true,
                receives: __agentcore::None,
                returns: __agentcore::reply_encoder::<()>().description,
            },
        ];
        fn find(__agentcore_type: &str) -> __agentcore::Option<usize> {
            match __agentcore_type {
                "search" => __agentcore::Some(__AgentcoreIndex::search as usize),
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
                    == __AgentcoreIndex::search as usize => {
                    __agentcore::Ok(
                        __agentcore::boxed(async move {
                            (__agentcore::reply_encoder::<()>()
                                .encode)(
                                Self::search(self).await,
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
