// The composer: sends the user's text, and lets the other members of a room see that the user is typing.

import { byId } from './elements.js';
import { errorText } from './error-text.js';
import { addMessage, directMessage } from './messages.js';
import { setProblem } from './render.js';
import { session } from './session.js';
import { showTextLength } from './view.js';

/** The longest text that the server takes, in characters (Unicode code points). */
const MAX_TEXT = 4_000;
/** The length from which on the page shows it. */
const SHOW_LENGTH_FROM = 3_600;
const TYPING_REPEAT_MS = 2_000;
const TYPING_STOPS_AFTER_MS = 3_000;

export async function sendText() {
  const conversation = session.current;
  const text = byId('text').value.trim();
  if (!text || !conversation) return;
  const length = lengthOf(text);
  if (length > MAX_TEXT) {
    setProblem(conversation, `This message is too long: ${shown(length)} of ${shown(MAX_TEXT)} characters.`);
    return;
  }
  setText(conversation.draft = '');
  setProblem(conversation, null);
  stopTyping();
  try {
    if (conversation.isRoom) {
      await session.connection.request('chat_message', { room: conversation.name, text });
    } else {
      await sendDirect(conversation, text);
    }
  } catch (error) {
    // The text returns to the composer, in front of anything that was typed since.
    const isCurrent = conversation === session.current;
    const typed = isCurrent ? byId('text').value : conversation.draft;
    conversation.draft = [text, typed].filter(Boolean).join('\n');
    if (isCurrent) setText(conversation.draft);
    setProblem(conversation, errorText(error), error.retryAfterMs);
  }
}

/** Puts a text into the composer. */
export function setText(text) {
  byId('text').value = text;
  showLength();
}

function showLength() {
  const length = lengthOf(byId('text').value.trim());
  const text = length < SHOW_LENGTH_FROM ? '' : `${shown(length)} of ${shown(MAX_TEXT)} characters`;
  showTextLength(text, length > MAX_TEXT);
}

// Iterating a string yields code points, as the server counts them: an emoji of one code point is one.
const lengthOf = (text) => [...text].length;

const shown = (number) => number.toLocaleString('en');

async function sendDirect(conversation, text) {
  const { me, myName, connection } = session;
  const { delivered, complete } = await connection.request('private_message', { target_user_id: conversation.name, text });
  const note = delivered > 0 ? undefined
    : complete ? `Not delivered: ${conversation.title} is offline.`
    : 'Possibly not delivered: part of the service did not answer.';
  addMessage(conversation, directMessage(me, myName, text, new Date().toISOString(), note), false);
}

let typingSentAt = 0;
let typingTimer;
/**
 * Handles a change of the text: shows its length, sends `typing_start` from time to time, and `typing_stop` when the
 * changes end.
 */
export function textChanged() {
  showLength();
  if (!session.current?.isRoom || !session.current.joined) return;
  if (!byId('text').value) {
    stopTyping();
    return;
  }
  clearTimeout(typingTimer);
  typingTimer = setTimeout(stopTyping, TYPING_STOPS_AFTER_MS);
  if (Date.now() - typingSentAt < TYPING_REPEAT_MS) return;
  typingSentAt = Date.now();
  sendTyping('typing_start');
}

export function stopTyping() {
  clearTimeout(typingTimer);
  if (typingSentAt === 0) return;
  typingSentAt = 0;
  if (session.current?.isRoom) sendTyping('typing_stop');
}

function sendTyping(type) {
  session.connection.request(type, { room: session.current.name }).catch(() => {});
}
