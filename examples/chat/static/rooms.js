// Joins and leaves rooms, and loads their members, their history and the list of rooms.

import { errorText } from './error-text.js';
import { addHistory } from './messages.js';
import { show } from './navigation.js';
import { renderConversations, renderLater, renderMembersOf, setProblem } from './render.js';
import { roomConversation, saveRooms, session } from './session.js';

const HISTORY_PAGE = 100;

/** Shows a room, joining it first if this connection has not. `request` is sent instead of a `join_room`. */
export async function openRoom(name, request) {
  const conversation = roomConversation(name);
  if (!conversation.joined) await join(conversation, request);
  show(conversation);
}

/** Joins a room again on a new connection. */
export async function rejoin(conversation) {
  try {
    await join(conversation);
  } catch (error) {
    if (error.code === 'DISCONNECTED') return;
    if (error.retryable) {
      setTimeout(() => conversation.wanted && !conversation.joined && rejoin(conversation), error.retryAfterMs ?? 5_000);
    } else {
      remove(conversation);
      setProblem(session.current, `${conversation.name}: ${errorText(error)}`);
    }
  }
}

async function join(conversation, request = ['join_room', { room: conversation.name }]) {
  // Marked before the join, after which newer messages arrive: the missing ones are in between.
  if (conversation.wasJoined) conversation.markGap();
  const reply = await session.connection.request(...request);
  if (typeof reply?.is_public === 'boolean') conversation.isPublic = reply.is_public;
  conversation.wanted = conversation.joined = conversation.wasJoined = true;
  saveRooms();
  renderLater(refreshRooms);
  loadMembers(conversation);
  // The server sends the latest messages after a `join_room`.
  if (conversation.newSince || request[0] !== 'join_room') loadHistory(conversation);
}

export async function leave(conversation) {
  try {
    await session.connection.request('leave_room', { room: conversation.name });
  } catch (error) {
    // `FORBIDDEN` means that the user is not in the room, which is the goal.
    if (error.code !== 'FORBIDDEN') {
      setProblem(conversation, errorText(error));
      return;
    }
  }
  remove(conversation);
  renderLater(refreshRooms);
}

/** Handles that the server took the user out of a room. */
export function removedByServer(conversation) {
  remove(conversation);
  setProblem(session.current, `${conversation.name}: this room no longer exists`);
  renderLater(refreshRooms);
}

function remove(conversation) {
  conversation.wanted = conversation.joined = false;
  session.conversations.delete(conversation.key);
  saveRooms();
  if (session.current === conversation) show([...session.conversations.values()].find((other) => other.wanted));
  else renderLater(renderConversations);
}

export async function refreshRooms() {
  // A failure is not shown: the list is loaded again soon.
  const reply = await session.connection.request('list_rooms').catch(() => null);
  if (!Array.isArray(reply?.rooms)) return;
  session.listedRooms = new Map(reply.rooms.map((room) => [room.name, room]));
  renderLater(renderConversations);
}

export async function loadMembers(conversation) {
  const reply = await session.connection.request('get_room_users', { room: conversation.name }).catch(() => null);
  if (!Array.isArray(reply?.users)) return;
  conversation.setMembers(reply.users, reply.total);
  renderMembersOf(conversation);
}

/** Loads the latest messages, and fills the gap between them and the messages that the page has. */
export async function loadHistory(conversation) {
  const load = async (after) => {
    const data = { room: conversation.name, limit: HISTORY_PAGE, ...(after && { after }) };
    const { messages } = await session.connection.request('get_message_history', data);
    addHistory(conversation, messages);
    return messages;
  };
  try {
    const latest = await load();
    let after = conversation.newSince;
    // The latest page does not reach back to the start of the gap: the gap is filled from its start.
    while (after && latest.length === HISTORY_PAGE && after < latest[0].id) {
      const page = await load(after);
      if (page.length < HISTORY_PAGE) break;
      after = page.at(-1).id;
    }
    conversation.hasGap = false;
  } catch {
    // The gap stays marked, and the next connection fills it.
  }
}
