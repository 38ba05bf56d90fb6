// What the user writes: sending it, and telling the others that it is being written.

import { advice } from './error-text.js';
import { byId } from './elements.js';
import { add, directLine } from './messages.js';
import { connection, current, me, myName, setProblem } from './session.js';

const TYPING_EVERY_MS = 2_000;
const TYPING_ENDS_MS = 3_000;

export async function send() {
  const conversation = current;
  const text = byId('text').value.trim();
  if (!text || !conversation) return;
  byId('text').value = conversation.draft = '';
  setProblem(conversation, null);
  stopTyping();
  try {
    if (conversation.isRoom) {
      await connection.request('chat_message', { room: conversation.name, text });
    } else {
      const { delivered, complete } = await connection.request('private_message', { target_user_id: conversation.name, text });
      const note = delivered > 0 ? undefined
        : complete ? `Not delivered: ${conversation.title} is offline.` : 'Perhaps not delivered: part of the service did not answer.';
      add(conversation, directLine(me, myName, text, new Date().toISOString(), note), false);
    }
  } catch (error) {
    // Nothing that was typed is lost, and what was typed since stays too.
    conversation.draft = [text, conversation === current ? byId('text').value : conversation.draft].filter(Boolean).join('\n');
    if (conversation === current) byId('text').value = conversation.draft;
    setProblem(conversation, advice(error), error.retryAfterMs);
  }
}

let typingSince = 0;
let typingEnd;
export function typed() {
  if (!current?.isRoom || !current.joined) return;
  if (!byId('text').value) {
    stopTyping();
    return;
  }
  clearTimeout(typingEnd);
  typingEnd = setTimeout(stopTyping, TYPING_ENDS_MS);
  if (Date.now() - typingSince < TYPING_EVERY_MS) return;
  typingSince = Date.now();
  connection.request('typing_start', { room: current.name }).catch(() => {});
}

export function stopTyping() {
  clearTimeout(typingEnd);
  if (typingSince === 0) return;
  typingSince = 0;
  if (current?.isRoom) connection.request('typing_stop', { room: current.name }).catch(() => {});
}
