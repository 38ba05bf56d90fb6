// The user's session: who the user is, the connection, the conversations, and which of them is shown.
// It holds data only; `render.js` shows it on the page.

import { Conversation } from './conversation.js';
import { recall, remember } from './storage.js';

export const session = {
  /** The user's id. */
  me: undefined,
  /** The user's name as others see it; it can differ from the id. */
  myName: undefined,
  connection: undefined,
  /** The conversation on display; `undefined` after the user has left the last room. */
  current: undefined,
  /** By key. */
  conversations: new Map(),
  /** The rooms that the server lists, by name. */
  listedRooms: new Map(),
};

/** Returns the conversation of a room, creating it if it is new. */
export function roomConversation(name) {
  return findOrCreate(`#${name}`, () => Conversation.room(name));
}

/** Returns the private conversation with a user, creating it if it is new; `username` updates its title. */
export function directConversation(userId, username) {
  const conversation = findOrCreate(`@${userId}`, () => Conversation.direct(userId));
  if (username) conversation.title = username;
  return conversation;
}

/** Saves the names of the user's rooms, so that a reload returns to them. */
export function saveRooms() {
  const rooms = [...session.conversations.values()].filter(({ isRoom, wanted }) => isRoom && wanted);
  remember(`chat.rooms.${session.me}`, JSON.stringify(rooms.map(({ name }) => name)));
}

export function savedRooms() {
  try {
    return JSON.parse(recall(`chat.rooms.${session.me}`)) ?? [];
  } catch {
    return [];
  }
}

function findOrCreate(key, create) {
  if (!session.conversations.has(key)) session.conversations.set(key, create());
  return session.conversations.get(key);
}
