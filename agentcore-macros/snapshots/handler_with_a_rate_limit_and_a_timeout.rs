#[consumer]
impl Chat {
    #[on("search", rate_limit = "10/1m", timeout = "5s", cancel_safe)]
    async fn search(&mut self) {}
}
