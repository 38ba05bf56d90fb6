//! Lists: rooms, users, history.

use serde_json::{Value, json};
use tests::chat::{ChatClient, ChatServer};

#[tokio::test]
async fn rooms_are_listed_with_their_number_of_users() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "b").await;
    let mut again = ChatClient::connect_and_join(&chat, "alice", "b").await;
    let mut bob = ChatClient::connect_and_join(&chat, "bob", "b").await;
    alice.expect("user_joined_room").await;
    bob.join("a").await;
    bob.request("leave_room", json!({ "room": "a" })).await;
    let room =
        |name, count, creator| json!({ "name": name, "user_count": count, "created_by": creator, "is_public": true });
    let rooms = json!({ "rooms": [room("b", 2, "alice"), room("a", 0, "bob")] });
    assert_eq!(alice.request("list_rooms", Value::Null).await, rooms);
    again.expect("user_joined_room").await;
    again.send("list_rooms", json!({})).await;
    assert_eq!(again.expect("rooms_list").await, rooms);
}

#[tokio::test]
async fn own_rooms_are_listed_first_and_empty_ones_last() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect(&chat, "alice").await;
    let mut eve = ChatClient::connect(&chat, "eve").await;
    for name in ["-0 empty", "-1 empty"] {
        eve.join(name).await;
        eve.request("leave_room", json!({ "room": name })).await;
    }
    eve.join("-2 with eve").await;
    alice.join("-1 empty").await;
    alice.request("create_room", json!({ "room_name": "zoo", "is_public": false })).await;
    alice.join("mine").await;
    alice.request("leave_room", json!({ "room": "mine" })).await;
    let list = alice.request("list_rooms", json!({})).await;
    let names: Vec<_> = list["rooms"].as_array().unwrap().iter().map(|room| room["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["-1 empty", "zoo", "-2 with eve", "mine", "-0 empty"]);
}

#[tokio::test]
async fn a_list_has_a_thousand_rooms_and_own_ones_among_them() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect(&chat, "alice").await;
    alice.request("create_room", json!({ "room_name": "zoo", "is_public": false })).await;
    let mut bob = ChatClient::connect_and_join(&chat, "bob", "with bob").await;
    let mut eve = ChatClient::connect(&chat, "eve").await;
    for n in 0..1_010 {
        let name = format!("-{n:04}");
        eve.request_with_earlier("join_room", json!({ "room": name })).await;
        eve.request_with_earlier("leave_room", json!({ "room": name })).await;
    }
    let list = alice.request("list_rooms", json!({})).await;
    let rooms = list["rooms"].as_array().unwrap();
    assert_eq!((rooms.len(), &rooms[0]["name"], &rooms[1]["name"]), (1000, &json!("zoo"), &json!("with bob")));
    let list = bob.request("list_rooms", json!({})).await;
    assert_eq!(list["rooms"][0]["name"], "with bob");
}

#[tokio::test]
async fn each_user_of_a_room_is_listed_once() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let again = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let mut bob = ChatClient::connect_and_join(&chat, "bob", "lobby").await;
    let mut carol = ChatClient::connect(&chat, "carol").await;
    let user = |name| json!({ "user_id": name, "username": name });
    let users = json!({ "room": "lobby", "users": [user("alice"), user("bob")], "total": 2 });
    assert_eq!(bob.request("get_room_users", json!({ "room": "lobby" })).await, users);
    carol.send("get_room_users", json!({ "room": "lobby" })).await;
    assert_eq!(carol.expect("room_users").await, users);
    let error = carol.request_error("get_room_users", json!({ "room": "nowhere" })).await;
    assert_eq!(error["code"], "NO_SUCH_ROOM", "{error}");

    again.close().await;
    alice.expect("user_joined_room").await;
    alice.request("leave_room", json!({ "room": "lobby" })).await;
    chat.until_connections(3).await;
    let users = json!({ "room": "lobby", "users": [user("bob")], "total": 1 });
    assert_eq!(carol.request("get_room_users", json!({ "room": "lobby" })).await, users);
}

#[tokio::test]
async fn history_has_the_latest_messages_or_those_after_a_message() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let mut posted = Vec::new();
    for n in 0..5 {
        posted.push(alice.post("lobby", &format!("line {n}")).await);
    }
    let mut bob = ChatClient::connect(&chat, "bob").await;
    let last = bob.request("get_message_history", json!({ "room": "lobby", "limit": 2 })).await;
    assert_eq!(last, json!({ "room": "lobby", "messages": posted[3..] }));
    let after = json!({ "room": "lobby", "limit": 2, "after": posted[1]["id"] });
    let next = json!({ "room": "lobby", "messages": posted[2..4] });
    assert_eq!(bob.request("get_message_history", after.clone()).await, next);
    bob.send("get_message_history", after).await;
    assert_eq!(bob.expect("message_history").await, next);
    let all = bob.request("get_message_history", json!({ "room": "lobby", "limit": 100, "after": null })).await;
    assert_eq!(all["messages"], json!(posted));

    for limit in [json!(0), json!(101), json!(-1), json!("10"), json!(1.5)] {
        let error = bob.request_error("get_message_history", json!({ "room": "lobby", "limit": limit })).await;
        assert_eq!(error["details"]["errors"][0]["field"], "limit", "{error}");
    }
    let error = bob.request_error("get_message_history", json!({ "room": "nowhere", "limit": 1 })).await;
    assert_eq!(error["code"], "NO_SUCH_ROOM", "{error}");
}
