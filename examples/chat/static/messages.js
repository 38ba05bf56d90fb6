// Where a line goes when it comes: into its conversation, onto the page, and to whoever does not see it now.

import { quietly, showLine } from './message-list.js';
import { current, me, refreshLater, showConversations } from './session.js';
import { announce } from './view.js';

let directLines = 0;

// The same message may come live and in a history; `Conversation` keeps it once.
export function add(conversation, line, isNews) {
  const placed = conversation.add(line);
  if (placed.at < 0) return;
  const isSeen = conversation === current && !document.hidden;
  if (isNews && !isSeen && line.userId !== me) {
    conversation.unread += 1;
    // Lines of the conversation that is shown are announced by their list.
    if (!conversation.isRoom && conversation !== current) announce(`Private message from ${line.username}`);
  }
  if (conversation === current) showLine(conversation, placed, line, me);
  refreshLater(showConversations);
}

export function merge(conversation, messages) {
  const isNews = ({ id }) => conversation.since !== undefined && id > conversation.since;
  quietly(() => {
    for (const message of messages ?? []) add(conversation, roomLine(message), isNews(message));
  });
}

export const roomLine = ({ id, user_id, username, text, timestamp }) => ({ id, userId: user_id, username, text, timestamp });

// Private messages are not kept by the server and have no id: they stand in the order in which they came.
export function directLine(userId, username, text, timestamp, note) {
  directLines += 1;
  return { id: String(directLines).padStart(12, '0'), userId, username, text, timestamp, note };
}
