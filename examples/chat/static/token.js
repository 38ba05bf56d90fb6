// The token that says who the user is, for servers that want one. A server in open mode takes the user's word instead.

const FORM = /^[\w-]+\.[\w-]+\.[\w-]+$/;

export class Token {
  #user;
  #text;

  /** One that came with the page's address, as `#token=..`, or that an earlier life of the page kept. */
  constructor(user) {
    this.#user = user;
    const given = new URLSearchParams(location.hash.slice(1)).get('token');
    // Whoever looks at the address, or copies it, should not find it there.
    if (given) history.replaceState(null, '', location.pathname + location.search);
    this.#keep(given ?? sessionStorage.getItem(`chat.token.${user}`));
  }

  get text() {
    return this.#text;
  }

  /**
   * Asks the server for a new one: `renewed`; `refused` when it is there and gives none to a page, so that somebody
   * else must; `away` when there is no answer.
   */
  async renew() {
    try {
      const response = await fetch(`/api/token?user_id=${encodeURIComponent(this.#user)}`, { cache: 'no-store' });
      if (!response.ok) return 'refused';
      this.#keep((await response.json()).token);
      return 'renewed';
    } catch {
      return 'away';
    }
  }

  #keep(text) {
    this.#text = FORM.test(text ?? '') ? text : null;
    if (this.#text) sessionStorage.setItem(`chat.token.${this.#user}`, this.#text);
  }
}
