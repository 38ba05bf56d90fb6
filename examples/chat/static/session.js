// The user's session: the connection, the conversations, and which of them is shown.

import { advice } from './error-text.js';
import { stopTyping } from './composer.js';
import { Connection } from './connection.js';
import { Conversation } from './conversation.js';
import { byId } from './elements.js';
import { showLines } from './message-list.js';
import { listed, refreshRooms, rejoin } from './rooms.js';
import * as view from './view.js';

const HOME = 'lobby';
const LIST_EVERY_MS = 30_000;

export const conversations = new Map();
export let connection;
export let me;
/** How others see the user; it can differ from the id. */
export let myName;
/** The conversation that is shown; none after the last room was left. */
export let current;

/** `arrivals` are what to do with the messages that come unasked, by type. */
export function begin(name, arrivals) {
  me = myName = name;
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
function stateChanged({ name, delayMs, reason, isRefused }) {
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
  if (isRefused) setProblem(current, advice({ code: 'NOT_LET_IN' }));
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

/** The conversation in a room. */
export function roomOf(name) {
  const key = `#${name}`;
  if (!conversations.has(key)) conversations.set(key, Conversation.room(name));
  return conversations.get(key);
}

/** The private conversation with a user; `username` is how the user is called, where that is known. */
export function directOf(user, username) {
  const key = `@${user}`;
  if (!conversations.has(key)) conversations.set(key, Conversation.direct(user));
  const conversation = conversations.get(key);
  if (username) conversation.title = username;
  return conversation;
}

export function welcomed(username) {
  myName = username;
  view.showName(username);
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
  showLines(conversation, me);
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
export function refreshLater(refresh) {
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

export function remember() {
  const rooms = [...conversations.values()].filter(({ isRoom, wanted }) => isRoom && wanted).map(({ name }) => name);
  sessionStorage.setItem(`chat.rooms.${me}`, JSON.stringify(rooms));
}
