//! Commands on users.

use std::collections::HashMap;

use redis::RedisResult;

use super::connection::Call;
use super::keys::Keys;

pub(super) async fn save(mut call: Call, keys: &Keys, user_id: &str, username: &str) -> RedisResult<()> {
    redis::cmd("HSET").arg(keys.usernames()).arg(user_id).arg(username).query_async(&mut call.redis).await
}

pub(super) async fn names(mut call: Call, keys: &Keys, user_ids: Vec<String>) -> RedisResult<HashMap<String, String>> {
    if user_ids.is_empty() {
        return Ok(HashMap::new());
    }
    let mut command = redis::cmd("HMGET");
    let names: Vec<Option<String>> = command.arg(keys.usernames()).arg(&user_ids).query_async(&mut call.redis).await?;
    Ok(user_ids.into_iter().zip(names).filter_map(|(id, name)| Some((id, name?))).collect())
}
