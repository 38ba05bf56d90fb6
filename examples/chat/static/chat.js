// The page's controls, and the way in.

import { advice } from './error-text.js';
import { arrivals } from './events.js';
import { send, typed } from './composer.js';
import { byId } from './elements.js';
import { toEnd } from './message-list.js';
import { leave, openRoom, refreshRooms } from './rooms.js';
import * as session from './session.js';
import { openPart, showNotice } from './view.js';

const USER_NAME = /^[A-Za-z0-9_.-]{1,64}$/;
const ROOM_NAME = /^[A-Za-z0-9_.-]([A-Za-z0-9_. -]{0,48}[A-Za-z0-9_.-])?$/;

const asked = new URLSearchParams(location.search).get('user') ?? sessionStorage.getItem('chat.user') ?? '';
if (USER_NAME.test(asked)) {
  session.begin(asked, arrivals);
} else {
  byId('entrance').hidden = false;
  byId('user-name').value = asked;
  byId('user-name').focus();
}

byId('enter-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const field = byId('user-name');
  const name = field.value.trim();
  if (isRefused(field, !USER_NAME.test(name))) return;
  session.begin(name, arrivals);
});

byId('switch-user').addEventListener('click', () => {
  session.connection.close();
  sessionStorage.clear();
  // Without `?user=`.
  location.assign(location.pathname);
});

byId('rooms').addEventListener('click', (event) => {
  const key = event.target.closest('button')?.dataset.key;
  if (!key) return;
  const known = session.conversations.get(key);
  if (known?.wanted) session.show(known);
  else openRoom(key.slice(1)).catch((error) => session.setProblem(session.current, advice(error)));
});

byId('directs').addEventListener('click', (event) => {
  const key = event.target.closest('button')?.dataset.key;
  if (key) session.show(session.conversations.get(key));
});

byId('members').addEventListener('click', (event) => {
  const user = event.target.closest('button')?.dataset.key;
  if (user) session.show(session.directOf(user, session.current.members.get(user)));
});

byId('new-room-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const field = byId('new-room');
  const name = field.value.trim();
  const hint = byId('new-room-hint');
  hint.textContent = '';
  if (isRefused(field, !ROOM_NAME.test(name))) {
    hint.textContent = 'Letters, digits, space, _, - and ., at most 50.';
    return;
  }
  try {
    const isPublic = !byId('new-room-private').checked;
    await openRoom(name, ['create_room', { room_name: name, is_public: isPublic }]);
    event.target.reset();
  } catch (error) {
    hint.textContent = advice(error);
  }
});

byId('leave').addEventListener('click', () => leave(session.current));

byId('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  send();
});

byId('text').addEventListener('keydown', (event) => {
  // Enter also ends the choice of a character in an input method; that is not the end of the message.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});

byId('text').addEventListener('input', typed);

byId('invite').addEventListener('click', () => {
  byId('invitation-form').reset();
  byId('invite-hint').textContent = '';
  byId('invitation-title').textContent = `Invite to ${session.current.name}`;
  byId('invitation').showModal();
});

byId('cancel-invite').addEventListener('click', () => byId('invitation').close());

byId('invitation-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const field = byId('invite-user');
  const user = field.value.trim();
  const room = session.current.name;
  if (isRefused(field, !USER_NAME.test(user))) {
    byId('invite-hint').textContent = 'A user name has letters, digits, _, - and ., at most 64.';
    return;
  }
  try {
    await session.connection.request('invite', { room, user_id: user });
    byId('invitation').close();
    showNotice(`${user} can now join ${room}.`);
  } catch (error) {
    byId('invite-hint').textContent = advice(error);
  }
});

byId('notice-dismiss').addEventListener('click', () => showNotice(null));

byId('connect-now').addEventListener('click', () => session.connection.connectNow());
byId('to-end').addEventListener('click', toEnd);
byId('open-rooms').addEventListener('click', () => togglePart('sidebar'));
byId('open-members').addEventListener('click', () => togglePart('people'));
byId('backdrop').addEventListener('click', () => openPart(null));

// The dialog closes itself.
addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || byId('invitation').open) return;
  if (byId('sidebar').classList.contains('open')) openPart(null, byId('open-rooms'));
  else if (byId('people').classList.contains('open')) openPart(null, byId('open-members'));
  else if (!byId('notice').hidden) showNotice(null);
});

document.addEventListener('visibilitychange', () => {
  if (document.hidden || !session.current) return;
  session.current.unread = 0;
  session.showConversations();
  refreshRooms();
});

function togglePart(id) {
  openPart(byId(id).classList.contains('open') ? null : id);
}

function isRefused(field, isWrong) {
  field.setAttribute('aria-invalid', String(isWrong));
  if (isWrong) field.focus();
  return isWrong;
}
