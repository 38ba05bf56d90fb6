impl Chat {
    #[cfg(feature = "upload")]
    async fn upload(&mut self) {}
}
const _: () = {
    use ::agentcore::__private as __agentcore;
    #[allow(non_camel_case_types, clippy::enum_variant_names)]
    enum __AgentcoreIndex {
        #[cfg(feature = "upload")]
        upload,
    }
    #[automatically_derived]
    impl __agentcore::ConsumerHandlers for Chat {
        const HANDLERS: &'static [__agentcore::Handler] = &[
            #[cfg(feature = "upload")]
            __agentcore::Handler {
                message_type: "upload",
                method: "upload",
                rate_limit: __agentcore::HandlerRateLimit::Cost(5u32),
                timeout: __agentcore::None,
                cancel_safe: false,
                receives: __agentcore::None,
                returns: __agentcore::reply_encoder::<()>().description,
            },
        ];
        fn find(__agentcore_type: &str) -> __agentcore::Option<usize> {
            match __agentcore_type {
                #[cfg(feature = "upload")]
                "upload" => __agentcore::Some(__AgentcoreIndex::upload as usize),
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
                #[cfg(feature = "upload")]
                __agentcore_index if __agentcore_index
                    == __AgentcoreIndex::upload as usize => {
                    __agentcore::Ok(
                        __agentcore::boxed(async move {
                            (__agentcore::reply_encoder::<()>()
                                .encode)(
                                Self::upload(self).await,
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
