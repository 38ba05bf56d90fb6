#[consumer]
impl Chat {
    #[on(connect)]
    async fn hello(&mut self, cx: &Context<Self>) -> Result<()> {
        cx.send(&Welcome).await
    }

    #[on(disconnect)]
    async fn bye(&mut self, cx: &Context<Self>, reason: CloseReason) {
        log(reason);
    }
}
