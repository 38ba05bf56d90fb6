// What the page looks like. Everything that people write goes through `textContent`; nothing here asks the server.

import { avatar, byId, element, fill, hiddenText, icon, nameOf } from './elements.js';

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

/** `rooms` are `{key, name, isPublic, isJoined, count, unread}`, `directs` are `{key, name, title, unread}`. */
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
    item(element('button', 'conversation', avatar(direct.name), nameOf(direct.title)), direct, currentKey)));
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
  byId('members-title').textContent = conversation.total > 0 ? `Members · ${conversation.total}` : 'Members';
  const users = [...conversation.members].sort(([a], [b]) => (a === me ? -1 : b === me ? 1 : a.localeCompare(b)));
  const rows = users.map(([id, name]) => {
    const isMe = id === me;
    const row = element(isMe ? 'span' : 'button', 'member', avatar(id), nameOf(name));
    if (isMe) row.append(element('span', 'you', 'you'));
    else row.title = name === id ? `Write to ${name}` : `Write to ${name} (${id})`;
    row.dataset.key = id;
    return element('li', '', row);
  });
  const more = conversation.total - users.length;
  if (more > 0) rows.push(element('li', 'hint', `and ${more} more`));
  fill(byId('members'), rows);
}

export function showHeader(conversation) {
  byId('current-room').textContent = conversation ? conversation.title : '';
  byId('about').textContent = !conversation ? '' : !conversation.isRoom ? `Private messages${conversation.title === conversation.name ? '' : ` · ${conversation.name}`}`
    : `${conversation.isPublic ? 'Public' : 'Private'} room${howMany(conversation.total)}`;
  byId('invite').hidden = !conversation?.isRoom || conversation.isPublic;
  byId('leave').hidden = !conversation?.isRoom;
  byId('composer').hidden = !conversation;
  const place = !conversation ? '' : conversation.isRoom ? `#${conversation.name}` : conversation.title;
  byId('text').placeholder = `Message ${place}`;
}

export function showTyping(conversation) {
  // Each name in an element of its own: one that is written from right to left does not turn the rest around.
  const names = [...(conversation?.typing.values() ?? [])].map(({ username }) => element('bdi', '', username));
  byId('typing').replaceChildren(...(names.length === 0 ? []
    : names.length === 1 ? [names[0], ' is typing…']
    : names.length === 2 ? [names[0], ' and ', names[1], ' are typing…']
    : [`${names.length} people are typing…`]));
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
    if (isOpen) (byId(part).querySelector('button, input') ?? byId(part)).focus();
  }
  byId('backdrop').classList.toggle('open', Boolean(id));
  opener?.focus();
}

function item(button, { key, unread }, currentKey) {
  button.dataset.key = key;
  if (key === currentKey) button.setAttribute('aria-current', 'true');
  if (unread > 0) button.append(element('span', 'unread', unread > 99 ? '99+' : unread, hiddenText(' unread')));
  return element('li', '', button);
}

// Nobody there means that it is not known yet: whoever sees the room is in it.
const howMany = (total) => (total === 0 ? '' : total === 1 ? ' · 1 member' : ` · ${total} members`);
