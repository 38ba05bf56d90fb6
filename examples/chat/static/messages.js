// Adds messages to conversations and to the page, and marks those that the user has not seen.

import { showMessage, withoutAnnouncing } from './message-list.js';
import { renderConversations, renderLater } from './render.js';
import { session } from './session.js';
import { announce } from './view.js';

let directMessages = 0;

/** Adds a message; one that arrives both live and in a history is kept once. */
export function addMessage(conversation, message, isNew) {
  const added = conversation.add(message);
  if (added.index < 0) return;
  const isCurrent = conversation === session.current;
  const isSeen = isCurrent && !document.hidden;
  if (isNew && !isSeen && message.userId !== session.me) {
    conversation.unread += 1;
    // The message list announces the messages of the current conversation itself.
    if (!conversation.isRoom && !isCurrent) announce(`Private message from ${message.username}`);
  }
  if (isCurrent) showMessage(conversation, added, message, session.me);
  renderLater(renderConversations);
}

export function addHistory(conversation, messages) {
  const isNew = ({ id }) => conversation.newSince !== undefined && id > conversation.newSince;
  withoutAnnouncing(() => {
    for (const data of messages ?? []) addMessage(conversation, roomMessage(data), isNew(data));
  });
}

/** Converts the data of a `chat_message`. */
export const roomMessage = ({ id, user_id, username, text, timestamp }) => ({ id, userId: user_id, username, text, timestamp });

// The server does not store private messages and gives them no ids: their ids here keep the order of arrival.
export function directMessage(userId, username, text, timestamp, note) {
  directMessages += 1;
  return { id: String(directMessages).padStart(12, '0'), userId, username, text, timestamp, note };
}
