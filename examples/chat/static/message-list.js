// The list of messages of the current conversation.

import { avatar, byId, element } from './elements.js';

// Messages of one author within this time are shown under one name.
const SAME_BLOCK_MS = 5 * 60_000;
// A list scrolled to within this many pixels of its end counts as at the end.
const END_TOLERANCE_PX = 40;

const list = byId('messages');
const messageOf = new WeakMap();
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const calendar = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });

/** Replaces all messages, without announcing them to screen readers. */
export function showMessages(conversation, me) {
  withoutAnnouncing(() => {
    list.replaceChildren(...(conversation?.messages ?? []).map((message) => messageElement(message, me)));
    for (const node of list.children) decorate(node);
    scrollToEnd();
  });
  showPlaceholder(conversation);
}

/** Inserts one message, and keeps the end of the list in view if it was. `added` is the result of `Conversation.add`. */
export function showMessage(conversation, added, message, me) {
  const follow = isAtEnd() || message.userId === me;
  if (added.displaced) list.firstElementChild?.remove();
  const node = messageElement(message, me);
  list.insertBefore(node, list.children[added.index] ?? null);
  decorate(node);
  if (node.nextElementSibling) decorate(node.nextElementSibling);
  showPlaceholder(conversation);
  if (follow) scrollToEnd();
  else if (!node.nextElementSibling) byId('to-end').hidden = false;
}

let announceTimer;
/** Changes the list without screen readers announcing it. */
export function withoutAnnouncing(change) {
  list.setAttribute('aria-live', 'off');
  change();
  clearTimeout(announceTimer);
  announceTimer = setTimeout(() => list.setAttribute('aria-live', 'polite'), 300);
}

export function scrollToEnd() {
  list.scrollTop = list.scrollHeight;
  byId('to-end').hidden = true;
}

let wasAtEnd = true;
list.addEventListener('scroll', () => {
  wasAtEnd = isAtEnd();
  if (wasAtEnd) byId('to-end').hidden = true;
});
// A composer that grows, or a phone's keyboard, makes the list smaller: a list that was at its end stays there.
new ResizeObserver(() => wasAtEnd && scrollToEnd()).observe(list);

function isAtEnd() {
  return list.scrollHeight - list.scrollTop - list.clientHeight < END_TOLERANCE_PX;
}

function showPlaceholder(conversation) {
  const isEmpty = !conversation || conversation.messages.length === 0;
  byId('nothing').hidden = !isEmpty;
  if (!isEmpty) return;
  byId('nothing-title').textContent = conversation ? 'Nothing here yet' : 'You are not in a room';
  byId('nothing-hint').textContent = !conversation ? 'Choose one from the list or create your own.'
    : conversation.isRoom ? 'Say hello to start the conversation.'
    : `Only you and ${conversation.title} can see what you write.`;
}

function messageElement(message, me) {
  const at = new Date(message.timestamp);
  const time = element('time', '', Number.isNaN(at.valueOf()) ? '' : clock.format(at));
  time.dateTime = message.timestamp;
  const author = element('span', 'author', message.username);
  const text = element('p', 'text', message.text);
  author.dir = text.dir = 'auto';
  const body = element('div', 'body', element('div', 'byline', author, time), text);
  if (message.note) body.append(element('p', 'note', message.note));
  const node = element('div', 'message', avatar(message.userId), body);
  node.classList.toggle('own', message.userId === me);
  messageOf.set(node, message);
  return node;
}

// Groups consecutive messages of one author under one name, and gives each day a heading.
function decorate(node) {
  const message = messageOf.get(node);
  const before = messageOf.get(node.previousElementSibling);
  const at = new Date(message.timestamp);
  const day = calendar.format(at);
  const isNewDay = !before || calendar.format(new Date(before.timestamp)) !== day;
  if (isNewDay) node.dataset.day = day === calendar.format(new Date()) ? 'Today' : day;
  else delete node.dataset.day;
  node.classList.toggle('follows', !isNewDay && before.userId === message.userId && at - new Date(before.timestamp) < SAME_BLOCK_MS);
}
