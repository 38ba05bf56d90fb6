// Shows values on the page. Text of users is set through `textContent`; this module sends nothing to the server.

import { avatar, byId, element, fill, hiddenText, icon, nameElement } from './elements.js';

/** Replaces the entrance by the chat. */
export function showChat(name) {
  byId('entrance').hidden = true;
  byId('chat').hidden = false;
  byId('me-avatar').replaceWith(Object.assign(avatar(name), { id: 'me-avatar' }));
  showName(name);
}

/** Shows the user's own name. */
export function showName(name) {
  byId('me-name').textContent = name;
}

export function showState(text, name) {
  byId('state').textContent = text;
  byId('state').dataset.state = name;
  byId('connect-now').hidden = name !== 'reconnecting' && name !== 'closed';
}

/** Announces a text to screen readers. */
export function announce(text) {
  byId('announcement').textContent = text;
}

/**
 * Shows the lists of rooms, `{key, name, isPublic, isJoined, count, unread}`, and of private conversations,
 * `{key, name, title, unread}`.
 */
export function showConversations(rooms, directs, currentKey) {
  fill(byId('rooms'), rooms.map((room) => {
    const button = element('button', 'conversation', icon(room.isPublic ? 'hash' : 'lock'), nameElement(room.name));
    if (!room.isJoined) {
      button.classList.add('joinable');
      button.append(element('span', 'join', 'Join'));
    } else if (room.unread === 0 && room.count > 0) {
      button.append(element('span', 'count', room.count, hiddenText(room.count === 1 ? ' member' : ' members')));
    }
    return listItem(button, room, currentKey);
  }));
  fill(byId('directs'), directs.map((direct) =>
    listItem(element('button', 'conversation', avatar(direct.name), nameElement(direct.title)), direct, currentKey)));
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
    const row = element(isMe ? 'span' : 'button', 'member', avatar(id), nameElement(name));
    if (isMe) row.append(element('span', 'you', 'you'));
    else row.title = name === id ? `Write to ${name}` : `Write to ${name} (${id})`;
    row.dataset.key = id;
    return element('li', '', row);
  });
  const unlisted = conversation.total - users.length;
  if (unlisted > 0) rows.push(element('li', 'hint', `and ${unlisted} more`));
  fill(byId('members'), rows);
}

export function showHeader(conversation) {
  byId('current-room').textContent = conversation ? conversation.title : '';
  byId('about').textContent = !conversation ? '' : conversation.isRoom ? aboutRoom(conversation) : aboutDirect(conversation);
  byId('invite').hidden = !conversation?.isRoom || conversation.isPublic;
  byId('leave').hidden = !conversation?.isRoom;
  byId('composer').hidden = !conversation;
  const target = !conversation ? '' : conversation.isRoom ? `#${conversation.name}` : conversation.title;
  byId('text').placeholder = `Message ${target}`;
}

export function showTyping(conversation) {
  // A `bdi` element for each name keeps right-to-left names from reordering the sentence.
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

/** Shows the length of the text beside its limit, or hides it (an empty text). */
export function showTextLength(text, isTooLong) {
  byId('text-length').hidden = !text;
  byId('text-length').textContent = text;
  byId('text-length').classList.toggle('too-long', isTooLong);
  byId('text').setAttribute('aria-invalid', String(isTooLong));
}

/** Shows a notice above the messages, or hides it (`null`). `onJoin` adds a button. */
export function showNotice(text, onJoin) {
  byId('notice').hidden = !text;
  byId('notice-text').textContent = text ?? '';
  byId('notice-join').hidden = !onJoin;
  byId('notice-join').onclick = onJoin ?? null;
}

/** Opens one side panel of a narrow page, or closes both (`null`). `focused` gets the focus then. */
export function openPanel(id, focused) {
  // The conversation under an open panel must not take input.
  document.querySelector('.conversation-pane').inert = Boolean(id);
  for (const [panel, button] of [['sidebar', 'open-rooms'], ['people', 'open-members']]) {
    const isOpen = panel === id;
    byId(panel).classList.toggle('open', isOpen);
    byId(button).setAttribute('aria-expanded', String(isOpen));
    if (isOpen) (byId(panel).querySelector('button, input') ?? byId(panel)).focus();
  }
  byId('backdrop').classList.toggle('open', Boolean(id));
  focused?.focus();
}

function listItem(button, { key, unread }, currentKey) {
  button.dataset.key = key;
  if (key === currentKey) button.setAttribute('aria-current', 'true');
  if (unread > 0) button.append(element('span', 'unread', unread > 99 ? '99+' : unread, hiddenText(' unread')));
  return element('li', '', button);
}

function aboutRoom({ isPublic, total }) {
  // The user is in the room, so a total of 0 means that it is not known yet.
  const members = total === 0 ? '' : total === 1 ? ' · 1 member' : ` · ${total} members`;
  return `${isPublic ? 'Public' : 'Private'} room${members}`;
}

function aboutDirect({ title, name }) {
  return title === name ? 'Private messages' : `Private messages · ${name}`;
}
