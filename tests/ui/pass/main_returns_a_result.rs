//! `main` with a body that uses `?`.

use agentcore::prelude::*;

/// Documented.
#[agentcore::main]
async fn main() -> Result<()> {
    let number: u8 = "7".parse().internal()?;
    assert_eq!(number, 7);
    Ok(())
}
