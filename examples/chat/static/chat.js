// The entry of the page: connects its controls to the modules that do the work, and starts the session.

import { sendText, textChanged } from './composer.js';
import { byId } from './elements.js';
import { errorText } from './error-text.js';
import { scrollToEnd } from './message-list.js';
import { roomNameProblem, userNameProblem } from './names.js';
import { show } from './navigation.js';
import { renderConversations, setProblem } from './render.js';
import { leave, openRoom, refreshRooms } from './rooms.js';
import { directConversation, session } from './session.js';
import { start } from './start.js';
import { forgetAll, recall } from './storage.js';
import { openPanel, showNotice } from './view.js';

const INPUT_METHOD_KEY_CODE = 229;

const user = new URLSearchParams(location.search).get('user') ?? recall('chat.user') ?? '';
if (userNameProblem(user) === null) {
  start(user);
} else {
  byId('entrance').hidden = false;
  byId('user-name').value = user;
  if (user) showNameProblem('user-name', userNameProblem(user));
  byId('user-name').focus();
}

byId('enter-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const name = byId('user-name').value.trim();
  if (showNameProblem('user-name', userNameProblem(name))) return;
  start(name);
});

byId('switch-user').addEventListener('click', () => {
  session.connection.close();
  forgetAll();
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
  const name = byId('new-room').value.trim();
  if (showNameProblem('new-room', roomNameProblem(name))) return;
  try {
    const isPublic = !byId('new-room-private').checked;
    await openRoom(name, ['create_room', { room_name: name, is_public: isPublic }]);
    event.target.reset();
  } catch (error) {
    byId('new-room-hint').textContent = errorText(error);
  }
});

byId('leave').addEventListener('click', () => leave(session.current));

byId('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  sendText();
});

byId('text').addEventListener('keydown', (event) => {
  // While an input method is composing, Enter chooses a character and does not send the message. Safari ends the
  // composition before this event, which then has the key code of an input method (UI Events, 7.3.1).
  const isComposing = event.isComposing || event.keyCode === INPUT_METHOD_KEY_CODE;
  if (event.key !== 'Enter' || event.shiftKey || isComposing) return;
  event.preventDefault();
  sendText();
});

byId('text').addEventListener('input', textChanged);

byId('invite').addEventListener('click', () => {
  byId('invitation-form').reset();
  byId('invite-user-hint').textContent = '';
  byId('invitation-title').textContent = `Invite to ${session.current.name}`;
  byId('invitation').showModal();
});

byId('cancel-invite').addEventListener('click', () => byId('invitation').close());

byId('invitation-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const user = byId('invite-user').value.trim();
  const room = session.current.name;
  if (showNameProblem('invite-user', userNameProblem(user))) return;
  try {
    await session.connection.request('invite', { room, user_id: user });
    byId('invitation').close();
    showNotice(`${user} can now join ${room}.`);
  } catch (error) {
    byId('invite-user-hint').textContent = errorText(error);
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

// Shows the rule that a name breaks, or that it breaks none (`null`), at its field. Returns whether it breaks one.
function showNameProblem(id, problem) {
  const field = byId(id);
  field.setAttribute('aria-invalid', String(problem !== null));
  byId(`${id}-hint`).textContent = problem ?? '';
  if (problem !== null) field.focus();
  return problem !== null;
}
