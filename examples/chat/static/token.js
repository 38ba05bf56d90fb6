// The token that proves who the user is, for servers that require one. A server in open mode requires none.

import { recall, remember } from './storage.js';

const FORM = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const RENEWAL_TIMEOUT_MS = 8_000;

export class Token {
  #user;
  #text;

  /** Takes the token from the page's address (`#token=..`), else the one saved before a reload. */
  constructor(user) {
    this.#user = user;
    const given = new URLSearchParams(location.hash.slice(1)).get('token');
    // Removed from the address, where it could be read or copied.
    if (given) history.replaceState(null, '', location.pathname + location.search);
    this.#save(given ?? recall(`chat.token.${user}`));
  }

  get text() {
    return this.#text;
  }

  /**
   * Requests a new token from the server. Resolves to `renewed`, to `refused` if the server does not issue tokens to
   * the page, or to `unreachable`.
   */
  async renew() {
    try {
      const response = await fetch(`/api/token?user_id=${encodeURIComponent(this.#user)}`, {
        cache: 'no-store',
        signal: AbortSignal.timeout(RENEWAL_TIMEOUT_MS),
      });
      if (!response.ok) return 'refused';
      this.#save((await response.json()).token);
      return 'renewed';
    } catch {
      return 'unreachable';
    }
  }

  #save(text) {
    this.#text = FORM.test(text ?? '') ? text : null;
    if (this.#text) remember(`chat.token.${this.#user}`, this.#text);
  }
}
