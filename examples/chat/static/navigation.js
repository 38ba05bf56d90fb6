// Switches between conversations.

import { setText, stopTyping } from './composer.js';
import { byId } from './elements.js';
import { renderCurrent } from './render.js';
import { session } from './session.js';
import { openPanel } from './view.js';

/** Shows a conversation; without one, the page says that the user is in no room. */
export function show(conversation) {
  if (session.current) {
    stopTyping();
    session.current.draft = byId('text').value;
  }
  session.current = conversation;
  if (conversation) conversation.unread = 0;
  setText(conversation?.draft ?? '');
  renderCurrent();
  openPanel(null);
  // On a phone the focus would open the keyboard.
  if (conversation && !matchMedia('(pointer: coarse)').matches) byId('text').focus();
}
