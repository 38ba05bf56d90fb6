// Values that survive a reload of the page. A browser that blocks cookies also blocks `sessionStorage`: reading the
// property throws. The page then works without memory, and a reload starts anew.

const memory = new Map();

export function recall(key) {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return memory.get(key) ?? null;
  }
}

export function remember(key, value) {
  try {
    sessionStorage.setItem(key, value);
  } catch {
    // Blocked, or full.
    memory.set(key, value);
  }
}

export function forgetAll() {
  memory.clear();
  try {
    sessionStorage.clear();
  } catch {
    // Blocked: nothing is stored.
  }
}
