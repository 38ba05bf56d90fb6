// One user's WebSocket to the chat, kept alive: it reconnects, and matches replies with requests.
// It knows the framework's envelope ({type, data, ref}) and nothing of rooms and messages.

import { Token } from './token.js';

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;
// A connection that has lasted this long was a good one: the next loss begins again with the shortest delay.
const STEADY_MS = 10_000;
const REPLY_WITHIN_MS = 15_000;
// Closed for what we did or are: trying again would end in the same way.
const FINAL_CLOSE_CODES = new Map([
  [1008, 'the server refused this connection'],
  [4401, 'you are signed out'],
]);

/** What a request ends with when the server answers with an `error`, or not at all. */
export class RequestError extends Error {
  constructor({ code, message, retryable = false, retry_after_ms, details }) {
    super(message ?? code);
    Object.assign(this, { code, retryable, retryAfterMs: retry_after_ms, details });
  }
}

/**
 * Events: `state`, whose detail is `{name: 'connecting' | 'online' | 'reconnecting' | 'closed', delayMs?, reason?}`,
 * with `isRefused` for a server that is there and lets nobody in,
 * and `message`, whose detail is `{type, data}`: everything that is not the answer to a request.
 */
export class Connection extends EventTarget {
  #user;
  #socket = null;
  #token;
  /** The last attempt did not come to a connection: the reason may be the token. */
  #isDoubtful = false;
  /** `away` or `refused`: why there is no new token. */
  #refusal = null;
  #pending = new Map();
  #lastRef = 0;
  #attempts = 0;
  /** Counts the calls of `connectNow`, so that one that waited for a token sees whether it is still wanted. */
  #turn = 0;
  #openedAt = 0;
  #retryTimer = 0;
  #heartbeat = 0;
  #isFinal = false;

  constructor(user) {
    super();
    this.#user = user;
    this.#token = new Token(user);
    // The network is back: there is no reason to wait for the rest of the delay.
    addEventListener('online', () => this.#isFinal || this.connectNow());
    // A page that waited in the browser's back cache has lost its connection and does not know it.
    addEventListener('pageshow', (event) => event.persisted && this.#socket && this.#lost(1006, ''));
  }

  /** Connects, unless there is a connection; ends the waiting for the next attempt. */
  async connectNow() {
    if (this.#socket) return;
    clearTimeout(this.#retryTimer);
    this.#emit('state', { name: 'connecting' });
    const turn = ++this.#turn;
    // A refusal before the upgrade does not tell its status to a page; a server that wants a token may hand one out.
    if (this.#isDoubtful) this.#refusal = await this.#token.renew();
    if (turn === this.#turn) this.#open();
  }

  #open() {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const protocols = ['agentcore.v1.json'];
    if (this.#token.text) protocols.push(`agentcore.token.${this.#token.text}`);
    const socket = new WebSocket(`${scheme}://${location.host}/ws/${encodeURIComponent(this.#user)}`, protocols);
    this.#socket = socket;
    this.#openedAt = 0;
    socket.onopen = () => {
      this.#openedAt = performance.now();
      this.#isDoubtful = false;
      this.#emit('state', { name: 'online' });
    };
    socket.onmessage = (event) => this.#received(event.data);
    // `onclose` follows every error, and says more.
    socket.onclose = (event) => this.#lost(event.code, event.reason);
  }

  /** Ends the connection for good. */
  close() {
    this.#isFinal = true;
    this.#turn += 1;
    this.#abandon();
    clearTimeout(this.#retryTimer);
  }

  /** Sends a request; resolves to the `data` of its reply, rejects with a `RequestError`. */
  request(type, data = {}) {
    return new Promise((resolve, reject) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) {
        reject(new RequestError({ code: 'DISCONNECTED', message: 'There is no connection.', retryable: true }));
        return;
      }
      const ref = ++this.#lastRef;
      const timer = setTimeout(() => {
        this.#pending.delete(ref);
        reject(new RequestError({ code: 'NO_ANSWER', message: 'The server did not answer.', retryable: true }));
      }, REPLY_WITHIN_MS);
      this.#pending.set(ref, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ type, data, ref }));
    });
  }

  #received(frame) {
    let envelope;
    try {
      envelope = JSON.parse(frame);
    } catch {
      console.warn('a frame that is no JSON was ignored');
      return;
    }
    const { type, ref, data } = envelope;
    const waiting = this.#pending.get(ref);
    if (waiting) {
      this.#pending.delete(ref);
      clearTimeout(waiting.timer);
      if (type === 'error') waiting.reject(new RequestError(data ?? {}));
      else waiting.resolve(data);
      return;
    }
    if (type === 'agentcore.welcome') this.#watch(data?.heartbeat_ms);
    if (type === 'agentcore.auth') {
      this.#authenticate();
      return;
    }
    // The answer to a request that was given up.
    if (type === 'reply' || type === 'pong') return;
    this.#emit('message', { type, data: data ?? {} });
  }

  // The token is about to expire: with a fresh one the connection stays. Without one it is closed with 4401.
  async #authenticate() {
    const socket = this.#socket;
    if (await this.#token.renew() !== 'renewed' || socket !== this.#socket) return;
    this.request('agentcore.auth', { token: this.#token.text }).catch(() => {});
  }

  // A network that swallows everything closes nothing: without an answer to a ping the connection counts as lost.
  #watch(everyMs = 30_000) {
    clearInterval(this.#heartbeat);
    if (!(everyMs >= 1_000)) return;
    const socket = this.#socket;
    this.#heartbeat = setInterval(async () => {
      try {
        await this.request('ping');
      } catch (error) {
        if (error.code === 'NO_ANSWER' && socket === this.#socket) this.#lost(1006, '');
      }
    }, everyMs);
  }

  #lost(code, reason) {
    const wasOpen = this.#openedAt > 0;
    if (wasOpen && performance.now() - this.#openedAt > STEADY_MS) this.#attempts = 0;
    this.#abandon();
    this.#isFinal = FINAL_CLOSE_CODES.has(code);
    this.#isDoubtful = !wasOpen || code === 4401;
    if (this.#isFinal) {
      this.#emit('state', { name: 'closed', reason: FINAL_CLOSE_CODES.get(code) });
      return;
    }
    // Full jitter, on top of what the server asks for: when it comes back it meets its clients one by one.
    const backoff = Math.random() * Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#attempts);
    const delayMs = backoff + retryAfterMs(reason);
    this.#attempts += 1;
    this.#emit('state', { name: 'reconnecting', delayMs, isRefused: !wasOpen && this.#refusal === 'refused' });
    this.#retryTimer = setTimeout(() => this.connectNow(), delayMs);
  }

  // Drops the socket without waiting for its end, which a dead network would delay.
  #abandon() {
    clearInterval(this.#heartbeat);
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject, timer } of waiting) {
      clearTimeout(timer);
      reject(new RequestError({ code: 'DISCONNECTED', message: 'The connection was lost.', retryable: true }));
    }
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

// The framework's close reasons are JSON; a proxy's may be anything.
function retryAfterMs(reason) {
  try {
    const { retry_after_ms } = JSON.parse(reason);
    return Number.isFinite(retry_after_ms) ? retry_after_ms : 0;
  } catch {
    return 0;
  }
}
