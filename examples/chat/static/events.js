// What the server sends unasked, by type. Other types are ignored: a newer server may send more.

import { advice } from './error-text.js';
import { add, directLine, merge, roomLine } from './messages.js';
import { loadHistory, loadMembers, openRoom, refreshRooms, removed } from './rooms.js';
import {
  conversations, current, directOf, me, membersChanged, setProblem, typingChanged, welcomed,
} from './session.js';
import { showNotice } from './view.js';

export const arrivals = {
  welcome({ username }) {
    welcomed(username);
  },
  chat_message(data) {
    const conversation = conversations.get(`#${data.room}`);
    if (!conversation) return;
    conversation.stoppedTyping(data.user_id);
    typingChanged(conversation);
    add(conversation, roomLine(data), true);
  },
  message_history({ room, messages }) {
    const conversation = conversations.get(`#${room}`);
    if (conversation) merge(conversation, messages);
  },
  room_info({ room, is_public }) {
    const conversation = conversations.get(`#${room}`);
    if (!conversation) return;
    conversation.isPublic = is_public;
    membersChanged(conversation);
  },
  user_joined_room({ room, user_id, username }) {
    const conversation = conversations.get(`#${room}`);
    if (!conversation) return;
    conversation.arrived(user_id, username);
    membersChanged(conversation);
  },
  user_left_room({ room, user_id }) {
    const conversation = conversations.get(`#${room}`);
    if (!conversation) return;
    conversation.left(user_id);
    typingChanged(conversation);
    membersChanged(conversation);
  },
  // Unasked: the room that was joined is no more. One of its name may be there again.
  room_left({ room }) {
    const conversation = conversations.get(`#${room}`);
    if (conversation) removed(conversation);
  },
  user_typing_start({ room, user_id, username }) {
    const conversation = conversations.get(`#${room}`);
    if (!conversation || user_id === me) return;
    conversation.startedTyping(user_id, username, () => typingChanged(conversation));
    typingChanged(conversation);
  },
  user_typing_stop({ room, user_id }) {
    const conversation = conversations.get(`#${room}`);
    conversation?.stoppedTyping(user_id);
    typingChanged(conversation);
  },
  private_message({ from_user_id, from_username, text, timestamp }) {
    add(directOf(from_user_id, from_username), directLine(from_user_id, from_username, text, timestamp), true);
  },
  invited({ room, from_user_id }) {
    refreshRooms();
    showNotice(`${from_user_id} invites you to the private room ${room}.`, () => {
      showNotice(null);
      openRoom(room).catch((error) => setProblem(current, advice(error)));
    });
  },
  // Something may be missing. All clients are told at once; each waits its own part of the time.
  'agentcore.resync'({ groups, spread_ms }) {
    setTimeout(() => {
      for (const conversation of conversations.values()) {
        if (!conversation.joined || (groups && !groups.includes(conversation.name))) continue;
        conversation.markGap();
        loadHistory(conversation);
        loadMembers(conversation);
      }
    }, Math.random() * (spread_ms ?? 0));
  },
  error(error) {
    setProblem(current, advice({ ...error, retryAfterMs: error.retry_after_ms }), error.retry_after_ms);
  },
};
