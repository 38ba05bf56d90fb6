#[consumer]
impl Chat {
    #[on("typing_start")]
    async fn typing(&mut self, cx: &Context<Self>, msg: RoomRef) {
        self.typing = true;
    }

    fn not_a_handler(&self) -> bool {
        self.typing
    }
}
