#[consumer]
impl Chat {
    #[cfg(feature = "upload")]
    #[on("upload", rate_limit = cost(5))]
    async fn upload(&mut self) {}
}
