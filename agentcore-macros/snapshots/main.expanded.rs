fn main() -> ::agentcore::__private::ExitCode {
    #[allow(dead_code)]
    async fn main() -> Result<()> {
        AgentCore::from_env()?.serve().await
    }
    ::agentcore::__private::run_main(main())
}
