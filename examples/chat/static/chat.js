// The entry of the page: connects its controls to the modules that do the work, and starts the session.

import { sendText, textChanged } from './composer.js';
import { byId } from './elements.js';
import { errorText } from './error-text.js';
import { scrollToEnd } from './message-list.js';
import { show } from './navigation.js';
import { renderConversations, setProblem } from './render.js';
import { leave, openRoom, refreshRooms } from './rooms.js';
import { directConversation, session } from './session.js';
import { start } from './start.js';
import { openPanel, showNotice } from './view.js';

const USER_NAME = /^[A-Za-z0-9_.-]{1,64}$/;
const ROOM_NAME = /^[A-Za-z0-9_.-]([A-Za-z0-9_. -]{0,48}[A-Za-z0-9_.-])?$/;

const user = new URLSearchParams(location.search).get('user') ?? sessionStorage.getItem('chat.user') ?? '';
if (USER_NAME.test(user)) {
  start(user);
} else {
  byId('entrance').hidden = false;
  byId('user-name').value = user;
  byId('user-name').focus();
}

byId('enter-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const field = byId('user-name');
  const name = field.value.trim();
  if (markInvalid(field, !USER_NAME.test(name))) return;
  start(name);
});

byId('switch-user').addEventListener('click', () => {
  session.connection.close();
  sessionStorage.clear();
  // Drops `?user=` from the address.
  location.assign(location.pathname);
});

byId('rooms').addEventListener('click', (event) => {
  const key = event.target.closest('button')?.dataset.key;
  if (!key) return;
  const known = session.conversations.get(key);
  if (known?.wanted) show(known);
  else openRoom(key.slice(1)).catch((error) => setProblem(session.current, errorText(error)));
});

byId('directs').addEventListener('click', (event) => {
  const key = event.target.closest('button')?.dataset.key;
  if (key) show(session.conversations.get(key));
});

byId('members').addEventListener('click', (event) => {
  const userId = event.target.closest('button')?.dataset.key;
  if (userId) show(directConversation(userId, session.current.members.get(userId)));
});

byId('new-room-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const field = byId('new-room');
  const name = field.value.trim();
  const hint = byId('new-room-hint');
  hint.textContent = '';
  if (markInvalid(field, !ROOM_NAME.test(name))) {
    hint.textContent = 'Use up to 50 letters, digits, spaces, _, - and . (no space at either end).';
    return;
  }
  try {
    const isPublic = !byId('new-room-private').checked;
    await openRoom(name, ['create_room', { room_name: name, is_public: isPublic }]);
    event.target.reset();
  } catch (error) {
    hint.textContent = errorText(error);
  }
});

byId('leave').addEventListener('click', () => leave(session.current));

byId('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  sendText();
});

byId('text').addEventListener('keydown', (event) => {
  // While an input method is composing, Enter chooses a character and does not send the message.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  sendText();
});

byId('text').addEventListener('input', textChanged);

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
  if (markInvalid(field, !USER_NAME.test(user))) {
    byId('invite-hint').textContent = 'Use up to 64 letters, digits, _, - and .';
    return;
  }
  try {
    await session.connection.request('invite', { room, user_id: user });
    byId('invitation').close();
    showNotice(`${user} can now join ${room}.`);
  } catch (error) {
    byId('invite-hint').textContent = errorText(error);
  }
});

byId('notice-dismiss').addEventListener('click', () => showNotice(null));

byId('connect-now').addEventListener('click', () => session.connection.connectNow());
byId('to-end').addEventListener('click', scrollToEnd);
byId('open-rooms').addEventListener('click', () => togglePanel('sidebar'));
byId('open-members').addEventListener('click', () => togglePanel('people'));
byId('backdrop').addEventListener('click', () => openPanel(null));

// Escape closes one thing at a time; the browser closes an open dialog.
addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || byId('invitation').open) return;
  if (byId('sidebar').classList.contains('open')) openPanel(null, byId('open-rooms'));
  else if (byId('people').classList.contains('open')) openPanel(null, byId('open-members'));
  else if (!byId('notice').hidden) showNotice(null);
});

document.addEventListener('visibilitychange', () => {
  if (document.hidden || !session.current) return;
  session.current.unread = 0;
  renderConversations();
  refreshRooms();
});

function togglePanel(id) {
  openPanel(byId(id).classList.contains('open') ? null : id);
}

// Marks a field as valid or not; a field that is not gets the focus.
function markInvalid(field, isInvalid) {
  field.setAttribute('aria-invalid', String(isInvalid));
  if (isInvalid) field.focus();
  return isInvalid;
}
