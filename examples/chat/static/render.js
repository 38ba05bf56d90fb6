// Shows the session on the page. Each function updates the part of the page that depends on one part of the session.

import { showMessages } from './message-list.js';
import { session } from './session.js';
import * as view from './view.js';

const BATCH_MS = 30;

/** Shows everything about the current conversation. */
export function renderCurrent() {
  const { current, me } = session;
  view.showProblem(current?.problem);
  view.showHeader(current);
  showMessages(current, me);
  view.showTyping(current);
  view.showMembers(current, me);
  renderConversations();
}

export function renderConversations() {
  const { conversations, listedRooms, current } = session;
  const all = [...conversations.values()];
  const mine = all.filter(({ isRoom, wanted }) => isRoom && wanted).map(({ key, name, isPublic, unread, total }) => (
    { key, name, isPublic, unread, isJoined: true, count: total }));
  const others = [...listedRooms.values()].filter(({ name }) => !conversations.get(`#${name}`)?.wanted).map((room) => (
    { key: `#${room.name}`, name: room.name, isPublic: room.is_public, unread: 0, isJoined: false, count: room.user_count }));
  const byName = (a, b) => a.name.localeCompare(b.name);
  const directs = all.filter(({ isRoom }) => !isRoom);
  view.showConversations([...mine.sort(byName), ...others.sort(byName)], directs, current?.key);
}

/** Shows the members of a room and their number, soon. */
export function renderMembersOf(conversation) {
  if (conversation === session.current) renderLater(renderMembers);
  renderLater(renderConversations);
}

export function renderTypingIn(conversation) {
  if (conversation === session.current) view.showTyping(conversation);
}

const scheduled = new Set();
/** Runs `render` soon, and once: many events in a row, such as a full room that reconnects, are one update of the page. */
export function renderLater(render) {
  if (scheduled.size === 0) {
    setTimeout(() => {
      const due = [...scheduled];
      scheduled.clear();
      for (const each of due) each();
    }, BATCH_MS);
  }
  scheduled.add(render);
}

/** Sets or clears (`null`) the problem of a conversation; with `clearAfterMs` it clears itself. */
export function setProblem(conversation, text, clearAfterMs) {
  if (!conversation) return;
  conversation.problem = text;
  clearTimeout(conversation.problemTimer);
  if (clearAfterMs) conversation.problemTimer = setTimeout(() => setProblem(conversation, null), clearAfterMs);
  if (conversation === session.current) view.showProblem(text);
}

function renderMembers() {
  view.showMembers(session.current, session.me);
  view.showHeader(session.current);
}
