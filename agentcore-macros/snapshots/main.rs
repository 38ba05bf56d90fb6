#[main]
async fn main() -> Result<()> {
    AgentCore::from_env()?.serve().await
}
