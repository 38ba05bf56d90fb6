// The user's session: the connection, the conversations, which of them is shown, and what is sent.

import { advice } from './advice.js';
import { Connection } from './connection.js';
import { Conversation } from './conversation.js';
import * as view from './view.js';

const { byId } = view;
const HOME = 'lobby';
const PAGE = 100;
const TYPING_EVERY_MS = 2_000;
const TYPING_ENDS_MS = 3_000;
const LIST_EVERY_MS = 30_000;

export const conversations = new Map();
export let connection;
export let me;
/** The conversation that is shown; none after the last room was left. */
export let current;
/** The rooms that the server lists, by name. */
let listed = new Map();
let directLines = 0;

/** `arrivals` are what to do with the messages that come unasked, by type. */
export function begin(name, arrivals) {
  me = name;
  sessionStorage.setItem('chat.user', name);
  view.enter(name);
  for (const room of new Set([HOME, ...remembered()])) roomOf(room).wanted = true;
  show(roomOf(HOME));
  connection = new Connection(name);
  connection.addEventListener('state', ({ detail }) => stateChanged(detail));
  connection.addEventListener('message', ({ detail: { type, data } }) => {
    if (Object.hasOwn(arrivals, type)) arrivals[type](data);
  });
  connection.connectNow();
  setInterval(() => document.hidden || refreshRooms(), LIST_EVERY_MS);
}

let countdown;
function stateChanged({ name, delayMs, reason }) {
  clearInterval(countdown);
  if (name === 'reconnecting') {
    const until = Date.now() + delayMs;
    const tell = () => view.showState(`reconnecting in ${Math.max(1, Math.ceil((until - Date.now()) / 1_000))} s`, name);
    tell();
    countdown = setInterval(tell, 500);
  } else {
    view.showState(name === 'closed' ? `closed: ${reason}` : name, name);
  }
  // The attempts are not told one by one.
  if (name !== 'connecting') {
    view.announce(name === 'online' ? 'online' : name === 'closed' ? `connection closed: ${reason}` : 'connection lost');
  }
  if (name !== 'online') {
    for (const conversation of conversations.values()) conversation.joined = false;
    return;
  }
  setProblem(current, null);
  refreshRooms();
  for (const conversation of conversations.values()) {
    if (conversation.isRoom && conversation.wanted) rejoin(conversation);
  }
}

async function rejoin(conversation) {
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

// The same message may come live and in a history; `Conversation` keeps it once.
export function add(conversation, line, isNews) {
  const placed = conversation.add(line);
  if (placed.at < 0) return;
  const isSeen = conversation === current && !document.hidden;
  if (isNews && !isSeen && line.userId !== me) conversation.unread += 1;
  if (conversation === current) view.showLine(conversation, placed, line, me);
  refreshLater(showConversations);
}

export function merge(conversation, messages) {
  const isNews = ({ id }) => conversation.since !== undefined && id > conversation.since;
  view.quietly(() => {
    for (const message of messages ?? []) add(conversation, roomLine(message), isNews(message));
  });
}

export const roomLine = ({ id, user_id, username, text, timestamp }) => ({ id, userId: user_id, username, text, timestamp });

// Private messages are not kept by the server and have no id: they stand in the order in which they came.
export function directLine(userId, username, text, timestamp, note) {
  directLines += 1;
  return { id: String(directLines).padStart(12, '0'), userId, username, text, timestamp, note };
}

export async function send() {
  const conversation = current;
  const text = byId('text').value.trim();
  if (!text || !conversation) return;
  byId('text').value = conversation.draft = '';
  setProblem(conversation, null);
  stopTyping();
  try {
    if (conversation.isRoom) {
      await connection.request('chat_message', { room: conversation.name, text });
    } else {
      const { delivered, complete } = await connection.request('private_message', { target_user_id: conversation.name, text });
      const note = delivered > 0 ? undefined
        : complete ? `Not delivered: ${conversation.name} is offline.` : 'Perhaps not delivered: part of the service did not answer.';
      add(conversation, directLine(me, me, text, new Date().toISOString(), note), false);
    }
  } catch (error) {
    // Nothing that was typed is lost, and what was typed since stays too.
    conversation.draft = [text, conversation === current ? byId('text').value : conversation.draft].filter(Boolean).join('\n');
    if (conversation === current) byId('text').value = conversation.draft;
    setProblem(conversation, advice(error), error.retryAfterMs);
  }
}

let typingSince = 0;
let typingEnd;
export function typed() {
  if (!current?.isRoom || !current.joined) return;
  if (!byId('text').value) {
    stopTyping();
    return;
  }
  clearTimeout(typingEnd);
  typingEnd = setTimeout(stopTyping, TYPING_ENDS_MS);
  if (Date.now() - typingSince < TYPING_EVERY_MS) return;
  typingSince = Date.now();
  connection.request('typing_start', { room: current.name }).catch(() => {});
}

function stopTyping() {
  clearTimeout(typingEnd);
  if (typingSince === 0) return;
  typingSince = 0;
  if (current?.isRoom) connection.request('typing_stop', { room: current.name }).catch(() => {});
}

function roomOf(name) {
  const key = `#${name}`;
  if (!conversations.has(key)) conversations.set(key, Conversation.room(name));
  return conversations.get(key);
}

export function directOf(user) {
  const key = `@${user}`;
  if (!conversations.has(key)) conversations.set(key, Conversation.direct(user));
  return conversations.get(key);
}

export function show(conversation) {
  if (current) {
    stopTyping();
    current.draft = byId('text').value;
  }
  current = conversation;
  if (conversation) conversation.unread = 0;
  byId('text').value = conversation?.draft ?? '';
  view.showProblem(conversation?.problem);
  view.showHeader(conversation);
  view.showLines(conversation, me);
  view.showTyping(conversation);
  view.showMembers(conversation, me);
  showConversations();
  view.openPart(null);
  // A phone would open its keyboard.
  if (conversation && !matchMedia('(pointer: coarse)').matches) byId('text').focus();
}

export function showConversations() {
  const all = [...conversations.values()];
  const isMine = (conversation) => conversation.isRoom && conversation.wanted;
  const mine = all.filter(isMine).map(({ key, name, isPublic, unread, total }) => (
    { key, name, isPublic, unread, isJoined: true, count: total }));
  const others = [...listed.values()].filter(({ name }) => !conversations.get(`#${name}`)?.wanted).map((room) => (
    { key: `#${room.name}`, name: room.name, isPublic: room.is_public, unread: 0, isJoined: false, count: room.user_count }));
  const byName = (a, b) => a.name.localeCompare(b.name);
  view.showConversations([...mine.sort(byName), ...others.sort(byName)], all.filter(({ isRoom }) => !isRoom), current?.key);
}

export function membersChanged(conversation) {
  if (conversation === current) refreshLater(showPeople);
  refreshLater(showConversations);
}

function showPeople() {
  view.showMembers(current, me);
  view.showHeader(current);
}

export function typingChanged(conversation) {
  if (conversation === current) view.showTyping(current);
}

// Many events at once, for instance a full room that comes back, are one change of the page.
const planned = new Set();
function refreshLater(refresh) {
  if (planned.size === 0) {
    setTimeout(() => {
      const now = [...planned];
      planned.clear();
      for (const each of now) each();
    }, 30);
  }
  planned.add(refresh);
}

export function setProblem(conversation, text, endsInMs) {
  if (!conversation) return;
  conversation.problem = text;
  clearTimeout(conversation.problemEnd);
  if (endsInMs) conversation.problemEnd = setTimeout(() => setProblem(conversation, null), endsInMs);
  if (conversation === current) view.showProblem(text);
}

// A reload comes back to the same rooms.
function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(`chat.rooms.${me}`)) ?? [];
  } catch {
    return [];
  }
}

function remember() {
  const rooms = [...conversations.values()].filter(({ isRoom, wanted }) => isRoom && wanted).map(({ name }) => name);
  sessionStorage.setItem(`chat.rooms.${me}`, JSON.stringify(rooms));
}
