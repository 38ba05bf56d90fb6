// An error of the server, or of the connection, in the user's terms: what happened, and what to do.

export function advice({ code, message, retryAfterMs, details }) {
  switch (code) {
    case 'RATE_LIMIT_EXCEEDED':
      return `That was too fast. You can go on in ${Math.max(1, Math.ceil((retryAfterMs ?? 1_000) / 1_000))} s.`;
    case 'UNKNOWN_MESSAGE_TYPE':
      return 'This server does not offer that.';
    case 'NOT_LET_IN':
      return 'The server is there but does not let you in. It may want a token, which you get with a link to this page, or be full.';
    case 'DISCONNECTED':
      return 'There is no connection now. Your text is kept: send it again when you are online.';
    case 'NO_ANSWER':
      return 'The server did not answer. Look whether it went through before you try again.';
    case 'VALIDATION_FAILED':
      return details?.errors?.map((rule) => `${rule.field}: ${rule.message}`).join('; ') || message;
    default: {
      const sentence = `${(message || 'That did not work').replace(/\.$/, '')}.`;
      const again = retryAfterMs ? ` Try again in ${Math.ceil(retryAfterMs / 1_000)} s.` : '';
      return sentence.charAt(0).toUpperCase() + sentence.slice(1) + again;
    }
  }
}
