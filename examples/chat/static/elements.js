// Creates and updates elements. Text of users becomes text nodes: no module of the page parses HTML.

const HUES = 8;

export const byId = (id) => document.getElementById(id);

/** Makes `items` the entries of a list. An entry whose key stays is updated in place and so keeps its focus. */
export function fill(list, items) {
  const keyOf = (item) => item.firstElementChild?.dataset.key;
  const known = new Map([...list.children].map((item) => [keyOf(item), item]));
  const entries = items.map((item) => {
    const old = known.get(keyOf(item));
    if (!old) return item;
    known.delete(keyOf(item));
    if (!old.isEqualNode(item)) update(old.firstElementChild ?? old, item.firstElementChild ?? item);
    return old;
  });
  for (const old of known.values()) old.remove();
  entries.forEach((entry, index) => {
    if (list.children[index] !== entry) list.insertBefore(entry, list.children[index] ?? null);
  });
}

function update(old, { className, title, ariaCurrent, childNodes }) {
  if (title) old.title = title;
  Object.assign(old, { className, ariaCurrent });
  old.replaceChildren(...childNodes);
}

export function nameElement(name) {
  return Object.assign(element('span', 'name', name), { dir: 'auto' });
}

export function avatar(userId) {
  const parts = userId.split(/[._-]+/).filter(Boolean);
  const initials = parts.length > 1 ? parts[0][0] + parts[1][0] : userId.slice(0, 2);
  const node = element('span', 'avatar', initials.toUpperCase());
  node.setAttribute('aria-hidden', 'true');
  let hash = 0;
  for (const character of userId) hash = (hash * 31 + character.codePointAt(0)) % 65_521;
  node.dataset.hue = hash % HUES;
  return node;
}

export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `#icon-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  svg.append(use);
  return svg;
}

export const hiddenText = (text) => element('span', 'sr', text);

export function element(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (tag === 'button') node.type = 'button';
  // `append` turns strings into text nodes.
  node.append(...children);
  return node;
}
