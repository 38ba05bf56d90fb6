// Turns an error of the server or of the connection into a text for the user: what happened and what to do.

export function errorText({ code, message, retryAfterMs, details }) {
  switch (code) {
    case 'RATE_LIMIT_EXCEEDED':
      return `You are sending too fast. Try again in ${Math.max(1, Math.ceil((retryAfterMs ?? 1_000) / 1_000))} s.`;
    case 'UNKNOWN_MESSAGE_TYPE':
      return 'This server does not support that.';
    case 'CONNECTION_REFUSED':
      return 'The server refuses the connection. It may be full, it may not allow the address of this page '
        + '(ALLOWED_ORIGINS), or it may need a token, which a link to this page can include. '
        + 'The log of the server has the reason.';
    case 'DISCONNECTED':
      return 'You are offline. Your text is kept; send it again when you are back online.';
    case 'NO_ANSWER':
      return 'The server did not answer. Check whether your request went through before you try again.';
    case 'VALIDATION_FAILED':
      return details?.errors?.map((rule) => `${rule.field}: ${rule.message}`).join('; ') || message;
    default: {
      const sentence = `${(message || 'That did not work').replace(/\.$/, '')}.`;
      const again = retryAfterMs ? ` Try again in ${Math.ceil(retryAfterMs / 1_000)} s.` : '';
      return sentence.charAt(0).toUpperCase() + sentence.slice(1) + again;
    }
  }
}
