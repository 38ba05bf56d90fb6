// Handles the messages that the server sends without being asked, by type. Unknown types are ignored: a newer server may
// send more of them.

import { errorText } from './error-text.js';
import { addHistory, addMessage, directMessage, roomMessage } from './messages.js';
import { renderMembersOf, renderTypingIn, setProblem } from './render.js';
import { loadHistory, loadMembers, openRoom, refreshRooms, removedByServer } from './rooms.js';
import { directConversation, session } from './session.js';
import { showName, showNotice } from './view.js';

export function handleEvent(type, data) {
  if (Object.hasOwn(handlers, type)) handlers[type](data);
}

const conversationIn = (room) => session.conversations.get(`#${room}`);

const handlers = {
  welcome({ username }) {
    session.myName = username;
    showName(username);
  },
  chat_message(data) {
    const conversation = conversationIn(data.room);
    if (!conversation) return;
    conversation.stoppedTyping(data.user_id);
    renderTypingIn(conversation);
    addMessage(conversation, roomMessage(data), true);
  },
  message_history({ room, messages }) {
    const conversation = conversationIn(room);
    if (conversation) addHistory(conversation, messages);
  },
  room_info({ room, is_public }) {
    const conversation = conversationIn(room);
    if (!conversation) return;
    conversation.isPublic = is_public;
    renderMembersOf(conversation);
  },
  user_joined_room({ room, user_id, username }) {
    const conversation = conversationIn(room);
    if (!conversation) return;
    conversation.memberJoined(user_id, username);
    renderMembersOf(conversation);
  },
  user_left_room({ room, user_id }) {
    const conversation = conversationIn(room);
    if (!conversation) return;
    conversation.memberLeft(user_id);
    renderTypingIn(conversation);
    renderMembersOf(conversation);
  },
  // Not an answer to `leave_room`: the joined room no longer exists. A new room may have its name.
  room_left({ room }) {
    const conversation = conversationIn(room);
    if (conversation) removedByServer(conversation);
  },
  user_typing_start({ room, user_id, username }) {
    const conversation = conversationIn(room);
    if (!conversation || user_id === session.me) return;
    conversation.startedTyping(user_id, username, () => renderTypingIn(conversation));
    renderTypingIn(conversation);
  },
  user_typing_stop({ room, user_id }) {
    const conversation = conversationIn(room);
    conversation?.stoppedTyping(user_id);
    renderTypingIn(conversation);
  },
  private_message({ from_user_id, from_username, text, timestamp }) {
    const message = directMessage(from_user_id, from_username, text, timestamp);
    addMessage(directConversation(from_user_id, from_username), message, true);
  },
  invited({ room, from_user_id }) {
    refreshRooms();
    showNotice(`${from_user_id} invites you to the private room ${room}.`, () => {
      showNotice(null);
      openRoom(room).catch((error) => setProblem(session.current, errorText(error)));
    });
  },
  // Messages may be missing. All clients receive this at once; each waits for a random part of `spread_ms`.
  'agentcore.resync'({ groups, spread_ms }) {
    setTimeout(() => {
      for (const conversation of session.conversations.values()) {
        if (!conversation.joined || (groups && !groups.includes(conversation.name))) continue;
        conversation.markGap();
        loadHistory(conversation);
        loadMembers(conversation);
      }
    }, Math.random() * (spread_ms ?? 0));
  },
  error(error) {
    setProblem(session.current, errorText({ ...error, retryAfterMs: error.retry_after_ms }), error.retry_after_ms);
  },
};
