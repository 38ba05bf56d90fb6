impl Chat {
    async fn hello(&mut self, cx: &Context<Self>) -> Result<()> {
        cx.send(&Welcome).await
    }
    async fn bye(&mut self, cx: &Context<Self>, reason: CloseReason) {
        log(reason);
    }
}
const _: () = {
    use ::agentcore::__private as __agentcore;
    #[allow(non_camel_case_types, clippy::enum_variant_names)]
    enum __AgentcoreIndex {}
    #[automatically_derived]
    impl __agentcore::ConsumerHandlers for Chat {
        const HANDLERS: &'static [__agentcore::Handler] = &[];
        fn find(__agentcore_type: &str) -> __agentcore::Option<usize> {
            match __agentcore_type {
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
                _ => __agentcore::Err(__agentcore::no_handler(__agentcore_index)),
            }
        }
        fn connect<'__agentcore>(
            &'__agentcore mut self,
            __agentcore_cx: &'__agentcore __agentcore::Context<Self>,
        ) -> __agentcore::Option<__agentcore::HandlerFuture<'__agentcore>> {
            __agentcore::Some(
                __agentcore::boxed(async move {
                    (__agentcore::reply_encoder::<Result<()>>()
                        .encode)(
                        Self::hello(self, __agentcore_cx).await,
                        __agentcore_cx.reply_target(),
                    )
                }),
            )
        }
        fn disconnect<'__agentcore>(
            &'__agentcore mut self,
            __agentcore_cx: &'__agentcore __agentcore::Context<Self>,
            __agentcore_owned: __agentcore::CloseReason,
        ) -> __agentcore::Option<__agentcore::HandlerFuture<'__agentcore>> {
            __agentcore::Some(
                __agentcore::boxed(async move {
                    (__agentcore::reply_encoder::<()>()
                        .encode)(
                        Self::bye(self, __agentcore_cx, __agentcore_owned).await,
                        __agentcore_cx.reply_target(),
                    )
                }),
            )
        }
    }
    #[allow(dead_code)]
    fn __agentcore_struct_check() {
        __agentcore::has_consumer_struct::<Chat>()
    }
};
