// Starts the session, and reacts to the states of its connection.

import { Connection } from './connection.js';
import { errorText } from './error-text.js';
import { handleEvent } from './events.js';
import { show } from './navigation.js';
import { setProblem } from './render.js';
import { refreshRooms, rejoin } from './rooms.js';
import { roomConversation, savedRooms, session } from './session.js';
import { remember } from './storage.js';
import * as view from './view.js';

const HOME = 'lobby';
const REFRESH_ROOMS_EVERY_MS = 30_000;

export function start(user) {
  session.me = session.myName = user;
  remember('chat.user', user);
  view.showChat(user);
  for (const room of new Set([HOME, ...savedRooms()])) roomConversation(room).wanted = true;
  show(roomConversation(HOME));
  session.connection = new Connection(user);
  session.connection.addEventListener('state', ({ detail }) => stateChanged(detail));
  session.connection.addEventListener('message', ({ detail: { type, data } }) => handleEvent(type, data));
  session.connection.connectNow();
  setInterval(() => document.hidden || refreshRooms(), REFRESH_ROOMS_EVERY_MS);
}

function stateChanged(state) {
  showState(state);
  if (state.isRefused) setProblem(session.current, errorText({ code: 'CONNECTION_REFUSED' }));
  if (state.name !== 'online') {
    for (const conversation of session.conversations.values()) conversation.joined = false;
    return;
  }
  setProblem(session.current, null);
  refreshRooms();
  for (const conversation of session.conversations.values()) {
    if (conversation.isRoom && conversation.wanted) rejoin(conversation);
  }
}

let countdown;
function showState({ name, delayMs, reason }) {
  clearInterval(countdown);
  if (name === 'reconnecting') {
    const until = Date.now() + delayMs;
    const showSeconds = () => {
      view.showState(`reconnecting in ${Math.max(1, Math.ceil((until - Date.now()) / 1_000))} s`, name);
    };
    showSeconds();
    countdown = setInterval(showSeconds, 500);
  } else {
    view.showState(name === 'closed' ? `closed: ${reason}` : name, name);
  }
  // Single attempts are not announced.
  if (name !== 'connecting') {
    view.announce(name === 'online' ? 'online' : name === 'closed' ? `connection closed: ${reason}` : 'connection lost');
  }
}
