// The server's rules for names, in words: a name that breaks them is refused here with the rule.

const USER_NAME = /^[A-Za-z0-9_.-]{1,64}$/;
const ROOM_NAME = /^[A-Za-z0-9_. -]{1,50}$/;

/** Returns the rule that a user's name breaks, or `null`. */
export function userNameProblem(name) {
  if (!USER_NAME.test(name)) return 'Use up to 64 letters, digits, _, - and .';
  return isPathStep(name) ? 'A name cannot be . or .. alone.' : null;
}

/** Returns the rule that a room's name breaks, or `null`. */
export function roomNameProblem(name) {
  if (!ROOM_NAME.test(name)) return 'Use up to 50 letters, digits, spaces, _, - and .';
  if (name.startsWith(' ') || name.endsWith(' ')) return 'A name cannot begin or end with a space.';
  if (name.includes('  ')) return 'A name cannot have two spaces in a row, which look like one.';
  return isPathStep(name) ? 'A name cannot be . or .. alone.' : null;
}

// Every browser resolves these as steps of a path, even percent-encoded, so no request for them arrives.
const isPathStep = (name) => name === '.' || name === '..';
