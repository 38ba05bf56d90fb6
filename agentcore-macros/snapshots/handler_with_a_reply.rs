#[consumer]
impl Chat {
    #[on("get_room_users")]
    async fn room_users(&mut self, msg: RoomRef) -> Result<RoomUsers> {
        self.users(msg.room).await
    }
}
