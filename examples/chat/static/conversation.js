// What the page knows of one conversation: a room, or the private messages with one user.

// Older lines are let go; they are in the server's history.
const KEPT_LINES = 1_000;
// Smaller than the id of any message.
const FIRST_ID = '00000000-0000-0000-0000-000000000000';
const TYPING_SHOWN_MS = 5_000;

export class Conversation {
  /** Sorted by `id`, each id once. */
  lines = [];
  unread = 0;
  /** The last line before a gap: what has a greater id is news, in a history too. */
  since = undefined;
  hasGap = false;
  /** What is typed and not sent. */
  draft = '';
  problem = null;
  typing = new Map();

  static room(name) {
    // `wanted`: the user means to be in the room. `joined`: this connection is. `wasJoined`: some connection was.
    return Object.assign(new Conversation(), {
      key: `#${name}`, name, title: name, isRoom: true, isPublic: true, count: 0, wanted: false, joined: false,
      wasJoined: false, members: new Map(), total: 0,
    });
  }

  static direct(user) {
    return Object.assign(new Conversation(), { key: `@${user}`, name: user, title: user, isRoom: false, wanted: true });
  }

  /** After the last line messages may be missing. A gap that is not filled yet begins where it began. */
  markGap() {
    if (this.hasGap) return;
    this.hasGap = true;
    this.since = this.lines.at(-1)?.id ?? FIRST_ID;
  }

  /**
   * Puts a line where its id belongs; history and live messages overlap and may come in any order.
   * Returns its place, -1 if it is there already or older than all that is kept, and the line that it pushed out.
   */
  add(line) {
    let at = this.lines.length;
    while (at > 0 && this.lines[at - 1].id > line.id) at -= 1;
    const isFull = this.lines.length >= KEPT_LINES;
    if (this.lines[at - 1]?.id === line.id || (at === 0 && isFull)) return { at: -1 };
    this.lines.splice(at, 0, line);
    return isFull ? { at: at - 1, gone: this.lines.shift() } : { at };
  }

  setMembers(users, total) {
    this.members = new Map(users.map((user) => [user.user_id, user.username]));
    this.total = Math.max(total ?? 0, users.length);
  }

  arrived(userId, username) {
    if (!this.members.has(userId)) this.total += 1;
    this.members.set(userId, username ?? userId);
  }

  left(userId) {
    if (this.members.delete(userId)) this.total -= 1;
    this.stoppedTyping(userId);
  }

  /** `ended` is called if no sign of an end comes in time. */
  startedTyping(userId, username, ended) {
    clearTimeout(this.typing.get(userId)?.timer);
    const timer = setTimeout(() => {
      this.typing.delete(userId);
      ended();
    }, TYPING_SHOWN_MS);
    this.typing.set(userId, { username: username ?? userId, timer });
  }

  stoppedTyping(userId) {
    clearTimeout(this.typing.get(userId)?.timer);
    this.typing.delete(userId);
  }
}
