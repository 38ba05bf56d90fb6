// The WebSocket of one user: reconnects after a loss, and matches replies to requests.
// It knows the framework's envelope ({type, data, ref}), and nothing about rooms and messages.

import { Token } from './token.js';

const FIRST_DELAY_MS = 1_000;
const MAX_DELAY_MS = 30_000;
// A connection that has lasted this long resets the delay before the next attempt.
const STABLE_AFTER_MS = 10_000;
const REPLY_TIMEOUT_MS = 15_000;
// How long a socket may take to open, and to answer when the page has a reason to doubt it.
const OPEN_TIMEOUT_MS = 8_000;
const PROBE_TIMEOUT_MS = 3_000;
const DEFAULT_HEARTBEAT_MS = 30_000;
// Close codes after which another attempt would end in the same way.
const FINAL_CLOSE_CODES = new Map([
  [1008, 'the server refused this connection'],
  [4401, 'you are signed out'],
]);

/** The error of a request that the server answers with an `error`, or not at all. */
export class RequestError extends Error {
  constructor({ code, message, retryable = false, retry_after_ms, details }) {
    super(message ?? code);
    Object.assign(this, { code, retryable, retryAfterMs: retry_after_ms, details });
  }
}

/**
 * Emits two events. The detail of `state` is
 * `{name: 'connecting' | 'online' | 'reconnecting' | 'closed', delayMs?, reason?, isRefused?}`; `isRefused` means that
 * the server answers and accepts no connection. The detail of `message` is `{type, data}` of a message that answers no
 * request.
 */
export class Connection extends EventTarget {
  #user;
  #socket = null;
  #token;
  /** Whether the last attempt failed, possibly because of the token. */
  #needsToken = false;
  /** The outcome of the last renewal of the token, see `Token.renew`. */
  #renewal = null;
  #pending = new Map();
  #lastRef = 0;
  #failures = 0;
  /** Counts the attempts, so that one that waited for a token sees whether another has replaced it. */
  #attempt = 0;
  #openedAt = 0;
  #retryTimer = 0;
  #openTimer = 0;
  #heartbeat = 0;
  #isFinal = false;

  constructor(user) {
    super();
    this.#user = user;
    this.#token = new Token(user);
    // The network is back: waiting for the rest of the delay has no use, and an open socket may belong to the old one.
    addEventListener('online', () => {
      this.#probe();
      if (!this.#isFinal) this.connectNow();
    });
    // A computer that was asleep may have lost the connection without an event.
    document.addEventListener('visibilitychange', () => document.hidden || this.#probe());
    addEventListener('focus', () => this.#probe());
    // The browser's back-forward cache drops the connection of a page without an event.
    addEventListener('pageshow', (event) => event.persisted && this.#socket && this.#closed(1006, ''));
  }

  /** Connects at once, unless there is a connection. */
  async connectNow() {
    if (this.#socket) return;
    clearTimeout(this.#retryTimer);
    this.#emit('state', { name: 'connecting' });
    const attempt = ++this.#attempt;
    // A page cannot read the status of a refused upgrade, so a missing token is one possible cause of any failure.
    if (this.#needsToken) this.#renewal = await this.#token.renew();
    if (attempt === this.#attempt) this.#open();
  }

  /** Closes the connection and does not reconnect. */
  close() {
    this.#isFinal = true;
    this.#attempt += 1;
    this.#drop();
    clearTimeout(this.#retryTimer);
  }

  /** Sends a request. Resolves to the `data` of the reply, or rejects with a `RequestError`. */
  request(type, data = {}, timeoutMs = REPLY_TIMEOUT_MS) {
    return new Promise((resolve, reject) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) {
        reject(new RequestError({ code: 'DISCONNECTED', message: 'There is no connection.', retryable: true }));
        return;
      }
      const ref = ++this.#lastRef;
      const timer = setTimeout(() => {
        this.#pending.delete(ref);
        reject(new RequestError({ code: 'NO_ANSWER', message: 'The server did not answer.', retryable: true }));
      }, timeoutMs);
      this.#pending.set(ref, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ type, data, ref }));
    });
  }

  #open() {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const protocols = ['agentcore.v1.json'];
    if (this.#token.text) protocols.push(`agentcore.token.${this.#token.text}`);
    const socket = new WebSocket(`${scheme}://${location.host}/ws/${encodeURIComponent(this.#user)}`, protocols);
    this.#socket = socket;
    this.#openedAt = 0;
    this.#openTimer = setTimeout(() => this.#closed(1006, ''), OPEN_TIMEOUT_MS);
    socket.onopen = () => {
      clearTimeout(this.#openTimer);
      this.#openedAt = performance.now();
      this.#needsToken = false;
      this.#emit('state', { name: 'online' });
    };
    socket.onmessage = (event) => this.#received(event.data);
    // A close event follows every error event, and has the code.
    socket.onclose = (event) => this.#closed(event.code, event.reason);
  }

  #received(frame) {
    let envelope;
    try {
      envelope = JSON.parse(frame);
    } catch {
      console.warn('ignored a frame that is not JSON');
      return;
    }
    const { type, ref, data } = envelope;
    const request = this.#pending.get(ref);
    if (request) {
      this.#pending.delete(ref);
      clearTimeout(request.timer);
      if (type === 'error') request.reject(new RequestError(data ?? {}));
      else request.resolve(data);
      return;
    }
    if (type === 'agentcore.welcome') this.#startHeartbeat(data?.heartbeat_ms);
    if (type === 'agentcore.auth') {
      this.#authenticate();
      return;
    }
    // A late answer to a request that has timed out.
    if (type === 'reply' || type === 'pong') return;
    this.#emit('message', { type, data: data ?? {} });
  }

  // The token is about to expire. A new one keeps the connection open; without it the server closes with 4401.
  async #authenticate() {
    const socket = this.#socket;
    if (await this.#token.renew() !== 'renewed' || socket !== this.#socket) return;
    this.request('agentcore.auth', { token: this.#token.text }).catch(() => {});
  }

  // A dead network reports no close: a ping without an answer counts as the loss of the connection.
  #startHeartbeat(everyMs = DEFAULT_HEARTBEAT_MS) {
    clearInterval(this.#heartbeat);
    if (!(everyMs >= 1_000)) return;
    this.#heartbeat = setInterval(() => this.#ping(REPLY_TIMEOUT_MS), everyMs);
  }

  // Finds out soon whether an open socket is dead.
  #probe() {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#ping(PROBE_TIMEOUT_MS);
  }

  async #ping(timeoutMs) {
    const socket = this.#socket;
    try {
      await this.request('ping', {}, timeoutMs);
    } catch (error) {
      if (error.code === 'NO_ANSWER' && socket === this.#socket) this.#closed(1006, '');
    }
  }

  #closed(code, reason) {
    const wasOpen = this.#openedAt > 0;
    if (wasOpen && performance.now() - this.#openedAt > STABLE_AFTER_MS) this.#failures = 0;
    this.#drop();
    this.#isFinal = FINAL_CLOSE_CODES.has(code);
    this.#needsToken = !wasOpen || code === 4401;
    if (this.#isFinal) {
      this.#emit('state', { name: 'closed', reason: FINAL_CLOSE_CODES.get(code) });
      return;
    }
    // Full jitter on top of the server's delay spreads out the clients that reconnect after a restart.
    const backoff = Math.random() * Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#failures);
    const delayMs = backoff + retryAfterMs(reason);
    this.#failures += 1;
    this.#emit('state', { name: 'reconnecting', delayMs, isRefused: !wasOpen && this.#renewal === 'refused' });
    this.#retryTimer = setTimeout(() => this.connectNow(), delayMs);
  }

  // Drops the socket without waiting for its close event, which a dead network would delay.
  #drop() {
    clearInterval(this.#heartbeat);
    clearTimeout(this.#openTimer);
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    const requests = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject, timer } of requests) {
      clearTimeout(timer);
      reject(new RequestError({ code: 'DISCONNECTED', message: 'The connection was lost.', retryable: true }));
    }
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

// The framework's close reasons are JSON; those of a proxy can be any text.
function retryAfterMs(reason) {
  try {
    const { retry_after_ms } = JSON.parse(reason);
    return Number.isFinite(retry_after_ms) ? retry_after_ms : 0;
  } catch {
    return 0;
  }
}
