// Joining and leaving rooms, and what the server is asked about them.

import { advice } from './error-text.js';
import { merge } from './messages.js';
import {
  connection, conversations, current, membersChanged, refreshLater, remember, roomOf, setProblem, show, showConversations,
} from './session.js';

const PAGE = 100;

/** The rooms that the server lists, by name. */
export let listed = new Map();

/** Joins again on a new connection. */
export async function rejoin(conversation) {
  try {
    await join(conversation);
  } catch (error) {
    if (error.code === 'DISCONNECTED') return;
    if (error.retryable) {
      setTimeout(() => conversation.wanted && !conversation.joined && rejoin(conversation), error.retryAfterMs ?? 5_000);
    } else {
      forget(conversation);
      setProblem(current, `${conversation.name}: ${advice(error)}`);
    }
  }
}

async function join(conversation, request = ['join_room', { room: conversation.name }]) {
  // Taken before the join, after which newer messages come in: what is missing lies between.
  if (conversation.wasJoined) conversation.markGap();
  const reply = await connection.request(...request);
  if (typeof reply?.is_public === 'boolean') conversation.isPublic = reply.is_public;
  conversation.wanted = conversation.joined = conversation.wasJoined = true;
  remember();
  refreshLater(refreshRooms);
  loadMembers(conversation);
  // A join is followed by the newest part of the history.
  if (conversation.since || request[0] !== 'join_room') loadHistory(conversation);
}

export async function openRoom(name, request) {
  const conversation = roomOf(name);
  if (!conversation.joined) await join(conversation, request);
  show(conversation);
}

export async function leave(conversation) {
  try {
    await connection.request('leave_room', { room: conversation.name });
  } catch (error) {
    // Not being in the room is what was wanted.
    if (error.code !== 'FORBIDDEN') {
      setProblem(conversation, advice(error));
      return;
    }
  }
  forget(conversation);
  refreshLater(refreshRooms);
}

/** The server has taken the user out of a room. */
export function removed(conversation) {
  forget(conversation);
  setProblem(current, `${conversation.name}: the room is no more`);
  refreshLater(refreshRooms);
}

function forget(conversation) {
  conversation.wanted = conversation.joined = false;
  conversations.delete(conversation.key);
  remember();
  if (current === conversation) show([...conversations.values()].find((other) => other.wanted));
  else refreshLater(showConversations);
}

export async function refreshRooms() {
  // Neither list is worth a message to the user: the next one comes soon.
  const reply = await connection.request('list_rooms').catch(() => null);
  if (!Array.isArray(reply?.rooms)) return;
  listed = new Map(reply.rooms.map((room) => [room.name, room]));
  refreshLater(showConversations);
}

export async function loadMembers(conversation) {
  const reply = await connection.request('get_room_users', { room: conversation.name }).catch(() => null);
  if (!Array.isArray(reply?.users)) return;
  conversation.setMembers(reply.users, reply.total);
  membersChanged(conversation);
}

export async function loadHistory(conversation) {
  const ask = async (after) => {
    const data = { room: conversation.name, limit: PAGE, ...(after && { after }) };
    const { messages } = await connection.request('get_message_history', data);
    merge(conversation, messages);
    return messages;
  };
  try {
    const newest = await ask();
    let after = conversation.since;
    // The newest page does not reach back to what is known: the gap is filled from its old end.
    while (after && newest.length === PAGE && after < newest[0].id) {
      const page = await ask(after);
      if (page.length < PAGE) break;
      after = page.at(-1).id;
    }
    conversation.hasGap = false;
  } catch {
    // The gap stays marked where it begins, and the next connection fills it.
  }
}
