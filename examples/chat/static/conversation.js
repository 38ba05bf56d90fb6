// The model of one conversation: a room, or the private messages with one user.

// The page drops older messages; the server's history has them.
const MAX_MESSAGES = 1_000;
// Smaller than the id of any message.
const FIRST_ID = '00000000-0000-0000-0000-000000000000';
const TYPING_EXPIRES_MS = 5_000;

export class Conversation {
  /** Sorted by `id`, without duplicates. */
  messages = [];
  unread = 0;
  /** The id of the last message before the latest gap: messages with greater ids are new, even in a history. */
  newSince = undefined;
  hasGap = false;
  /** Text that is typed and not sent. */
  draft = '';
  problem = null;
  /** `{username, timer}` by user id. */
  typing = new Map();

  static room(name) {
    // `wanted`: the user wants to be in the room. `joined`: this connection is. `wasJoined`: some connection was.
    return Object.assign(new Conversation(), {
      key: `#${name}`, name, title: name, isRoom: true, isPublic: true, count: 0, wanted: false, joined: false,
      wasJoined: false, members: new Map(), total: 0,
    });
  }

  static direct(userId) {
    return Object.assign(new Conversation(), { key: `@${userId}`, name: userId, title: userId, isRoom: false, wanted: true });
  }

  /** Notes that messages may be missing after the last one. A gap that is still open keeps its start. */
  markGap() {
    if (this.hasGap) return;
    this.hasGap = true;
    this.newSince = this.messages.at(-1)?.id ?? FIRST_ID;
  }

  /**
   * Inserts a message by its id; histories and live messages overlap and arrive in any order.
   * Returns its index and the message that it displaced, if any. The index is -1 for a message that is already there
   * or is older than all that are kept.
   */
  add(message) {
    let index = this.messages.length;
    while (index > 0 && this.messages[index - 1].id > message.id) index -= 1;
    const isFull = this.messages.length >= MAX_MESSAGES;
    if (this.messages[index - 1]?.id === message.id || (index === 0 && isFull)) return { index: -1 };
    this.messages.splice(index, 0, message);
    return isFull ? { index: index - 1, displaced: this.messages.shift() } : { index };
  }

  setMembers(users, total) {
    this.members = new Map(users.map((user) => [user.user_id, user.username]));
    this.total = Math.max(total ?? 0, users.length);
  }

  memberJoined(userId, username) {
    if (!this.members.has(userId)) this.total += 1;
    this.members.set(userId, username ?? userId);
  }

  memberLeft(userId) {
    if (this.members.delete(userId)) this.total -= 1;
    this.stoppedTyping(userId);
  }

  /** Calls `onExpired` if the user does not stop typing in time. */
  startedTyping(userId, username, onExpired) {
    clearTimeout(this.typing.get(userId)?.timer);
    const timer = setTimeout(() => {
      this.typing.delete(userId);
      onExpired();
    }, TYPING_EXPIRES_MS);
    this.typing.set(userId, { username: username ?? userId, timer });
  }

  stoppedTyping(userId) {
    clearTimeout(this.typing.get(userId)?.timer);
    this.typing.delete(userId);
  }
}
