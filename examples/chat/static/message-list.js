// The lines of the conversation that is shown.

import { avatar, byId, element } from './elements.js';

const SAME_BLOCK_MS = 5 * 60_000;

const messages = byId('messages');
const lineOf = new WeakMap();
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const calendar = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });

/** Replaces all lines; a screen reader is not read the whole history. */
export function showLines(conversation, me) {
  quietly(() => {
    messages.replaceChildren(...(conversation?.lines ?? []).map((line) => lineElement(line, me)));
    for (const node of messages.children) decorate(node);
    toEnd();
  });
  showEmptiness(conversation);
}

/** Puts one line at its place and keeps the end in sight if it was. */
export function showLine(conversation, { at, gone }, line, me) {
  const follow = isAtEnd() || line.userId === me;
  if (gone) messages.firstElementChild?.remove();
  const node = lineElement(line, me);
  messages.insertBefore(node, messages.children[at] ?? null);
  decorate(node);
  if (node.nextElementSibling) decorate(node.nextElementSibling);
  showEmptiness(conversation);
  if (follow) toEnd();
  else if (!node.nextElementSibling) byId('to-end').hidden = false;
}

/** Runs `change` without its new lines being announced. */
export function quietly(change) {
  messages.setAttribute('aria-live', 'off');
  change();
  clearTimeout(quietly.timer);
  quietly.timer = setTimeout(() => messages.setAttribute('aria-live', 'polite'), 300);
}

export function toEnd() {
  messages.scrollTop = messages.scrollHeight;
  byId('to-end').hidden = true;
}

messages.addEventListener('scroll', () => {
  if (isAtEnd()) byId('to-end').hidden = true;
});
// The composer grows, a phone's keyboard opens: who was reading the end goes on doing so.
let wasAtEnd = true;
messages.addEventListener('scroll', () => { wasAtEnd = isAtEnd(); });
new ResizeObserver(() => wasAtEnd && toEnd()).observe(messages);

function isAtEnd() {
  return messages.scrollHeight - messages.scrollTop - messages.clientHeight < 40;
}

function showEmptiness(conversation) {
  const isEmpty = !conversation || conversation.lines.length === 0;
  byId('nothing').hidden = !isEmpty;
  if (!isEmpty) return;
  byId('nothing-title').textContent = conversation ? 'Nothing here yet' : 'You are in no room';
  byId('nothing-hint').textContent = !conversation ? 'Choose one from the list, or create your own.'
    : conversation.isRoom ? 'Say hello to get things going.'
    : `Only you and ${conversation.title} will see what you write.`;
}

function lineElement(line, me) {
  const at = new Date(line.timestamp);
  const time = element('time', '', Number.isNaN(at.valueOf()) ? '' : clock.format(at));
  time.dateTime = line.timestamp;
  const author = element('span', 'author', line.username);
  const text = element('p', 'text', line.text);
  author.dir = text.dir = 'auto';
  const body = element('div', 'body', element('div', 'byline', author, time), text);
  if (line.note) body.append(element('p', 'note', line.note));
  const node = element('div', 'message', avatar(line.userId), body);
  node.classList.toggle('own', line.userId === me);
  lineOf.set(node, line);
  return node;
}

// Lines that one person writes in a row stand under one name, and each day has its heading.
function decorate(node) {
  const line = lineOf.get(node);
  const before = lineOf.get(node.previousElementSibling);
  const at = new Date(line.timestamp);
  const day = calendar.format(at);
  const isNewDay = !before || calendar.format(new Date(before.timestamp)) !== day;
  if (isNewDay) node.dataset.day = day === calendar.format(new Date()) ? 'Today' : day;
  else delete node.dataset.day;
  node.classList.toggle('follows', !isNewDay && before.userId === line.userId && at - new Date(before.timestamp) < SAME_BLOCK_MS);
}
