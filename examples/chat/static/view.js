// What the page looks like. Everything that people write goes through `textContent`; nothing here asks the server.

const SAME_BLOCK_MS = 5 * 60_000;
const HUES = 8;

export const byId = (id) => document.getElementById(id);

const messages = byId('messages');
const lineOf = new WeakMap();
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const calendar = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });

export function enter(name) {
  byId('entrance').hidden = true;
  byId('chat').hidden = false;
  byId('me-avatar').replaceWith(Object.assign(avatar(name), { id: 'me-avatar' }));
  showName(name);
}

/** A user name can differ from the user's id. */
export function showName(name) {
  byId('me-name').textContent = name;
}

export function showState(text, name) {
  byId('state').textContent = text;
  byId('state').dataset.state = name;
  byId('connect-now').hidden = name !== 'reconnecting' && name !== 'closed';
}

/** Says something to a screen reader that others see. */
export function announce(text) {
  byId('announcement').textContent = text;
}

/** `rooms` are `{key, name, isPublic, isJoined, count, unread}`, `directs` are `{key, name, unread}`. */
export function showConversations(rooms, directs, currentKey) {
  fill(byId('rooms'), rooms.map((room) => {
    const button = element('button', 'conversation', icon(room.isPublic ? 'hash' : 'lock'), nameOf(room.name));
    if (!room.isJoined) {
      button.classList.add('joinable');
      button.append(element('span', 'join', 'Join'));
    } else if (room.unread === 0 && room.count > 0) {
      button.append(element('span', 'count', room.count, hiddenText(room.count === 1 ? ' member' : ' members')));
    }
    return item(button, room, currentKey);
  }));
  fill(byId('directs'), directs.map((direct) =>
    item(element('button', 'conversation', avatar(direct.name), nameOf(direct.name)), direct, currentKey)));
  byId('no-directs').hidden = directs.length > 0;
  const unread = [...rooms, ...directs].reduce((sum, { unread }) => sum + unread, 0);
  byId('elsewhere').hidden = unread === 0;
  const name = byId('current-room').textContent;
  document.title = `${unread ? `(${unread}) ` : ''}${name ? `${name} · ` : ''}Chat`;
}

export function showMembers(conversation, me) {
  const isRoom = Boolean(conversation?.isRoom);
  byId('people').hidden = byId('open-members').hidden = !isRoom;
  if (!isRoom) return;
  byId('members-title').textContent = `Members · ${conversation.total}`;
  const users = [...conversation.members].sort(([a], [b]) => (a === me ? -1 : b === me ? 1 : a.localeCompare(b)));
  const rows = users.map(([id, name]) => {
    const isMe = id === me;
    const row = element(isMe ? 'span' : 'button', 'member', avatar(id), nameOf(name));
    if (isMe) row.append(element('span', 'you', 'you'));
    else row.title = `Write to ${name}`;
    row.dataset.key = id;
    return element('li', '', row);
  });
  const more = conversation.total - users.length;
  if (more > 0) rows.push(element('li', 'hint', `and ${more} more`));
  fill(byId('members'), rows);
}

export function showHeader(conversation) {
  byId('current-room').textContent = conversation ? conversation.name : '';
  byId('about').textContent = !conversation ? '' : !conversation.isRoom ? 'Private messages'
    : `${conversation.isPublic ? 'Public' : 'Private'} room · ${conversation.total} ${conversation.total === 1 ? 'member' : 'members'}`;
  byId('invite').hidden = !conversation?.isRoom || conversation.isPublic;
  byId('leave').hidden = !conversation?.isRoom;
  byId('composer').hidden = !conversation;
  const place = !conversation ? '' : conversation.isRoom ? `#${conversation.name}` : conversation.name;
  byId('text').placeholder = `Message ${place}`;
}

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

export function showTyping(conversation) {
  const names = [...(conversation?.typing.values() ?? [])].map(({ username }) => username);
  byId('typing').textContent = names.length === 0 ? ''
    : names.length === 1 ? `${names[0]} is typing…`
    : names.length === 2 ? `${names[0]} and ${names[1]} are typing…`
    : `${names.length} people are typing…`;
}

export function showProblem(text) {
  byId('problem').hidden = !text;
  byId('problem').textContent = text ?? '';
}

/** A line above the messages; `onJoin` gives it a button. */
export function showNotice(text, onJoin) {
  byId('notice').hidden = !text;
  byId('notice-text').textContent = text ?? '';
  byId('notice-join').hidden = !onJoin;
  byId('notice-join').onclick = onJoin ?? null;
}

/** On a narrow page the side parts slide in; at most one is open. */
export function openPart(id, opener) {
  // What lies under an open part is out of reach.
  document.querySelector('.conversation-pane').inert = Boolean(id);
  for (const [part, button] of [['sidebar', 'open-rooms'], ['people', 'open-members']]) {
    const isOpen = part === id;
    byId(part).classList.toggle('open', isOpen);
    byId(button).setAttribute('aria-expanded', String(isOpen));
    if (isOpen) byId(part).querySelector('button, input')?.focus();
  }
  byId('backdrop').classList.toggle('open', Boolean(id));
  opener?.focus();
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
    : `Only you and ${conversation.name} will see what you write.`;
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

function item(button, { key, unread }, currentKey) {
  button.dataset.key = key;
  if (key === currentKey) button.setAttribute('aria-current', 'true');
  if (unread > 0) button.append(element('span', 'unread', unread > 99 ? '99+' : unread, hiddenText(' unread')));
  return element('li', '', button);
}

// An entry that stays is changed where it is: the focus, and a press that has not ended yet, are on its button.
function fill(list, items) {
  const keyOf = (item) => item.firstElementChild?.dataset.key;
  const known = new Map([...list.children].map((item) => [keyOf(item), item]));
  const wanted = items.map((item) => {
    const old = known.get(keyOf(item));
    if (!old) return item;
    known.delete(keyOf(item));
    if (!old.isEqualNode(item)) update(old.firstElementChild ?? old, item.firstElementChild ?? item);
    return old;
  });
  for (const gone of known.values()) gone.remove();
  wanted.forEach((item, at) => {
    if (list.children[at] !== item) list.insertBefore(item, list.children[at] ?? null);
  });
}

function update(old, { className, title, ariaCurrent, childNodes }) {
  if (title) old.title = title;
  Object.assign(old, { className, ariaCurrent });
  old.replaceChildren(...childNodes);
}

function nameOf(name) {
  return Object.assign(element('span', 'name', name), { dir: 'auto' });
}

function avatar(userId) {
  const parts = userId.split(/[._-]+/).filter(Boolean);
  const initials = parts.length > 1 ? parts[0][0] + parts[1][0] : userId.slice(0, 2);
  const node = element('span', 'avatar', initials.toUpperCase());
  node.setAttribute('aria-hidden', 'true');
  let hash = 0;
  for (const character of userId) hash = (hash * 31 + character.codePointAt(0)) % 65_521;
  node.dataset.hue = hash % HUES;
  return node;
}

function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `#icon-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  svg.append(use);
  return svg;
}

const hiddenText = (text) => element('span', 'sr', text);

function element(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (tag === 'button') node.type = 'button';
  // `append` makes text nodes of strings.
  node.append(...children);
  return node;
}
