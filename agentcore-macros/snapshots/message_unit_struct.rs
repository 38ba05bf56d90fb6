/// Asks for the list of rooms.
#[message("list_rooms")]
struct ListRooms;
