// Runs in every page before the page's own scripts, and records forbidden behaviour in `__violations`.
(() => {
  const violations = [];
  window.__violations = violations;
  let isParsed = false;

  // Set by a payload that runs.
  Object.defineProperty(window, '__ran', { set: (value) => violations.push(`ran: ${value}`) });
  for (const name of ['alert', 'confirm', 'prompt', 'print', 'open']) {
    window[name] = (...values) => { violations.push(`${name}: ${values}`); };
  }
  addEventListener('error', (event) => violations.push(`error: ${event.message ?? event.target}`), true);
  addEventListener('unhandledrejection', (event) => violations.push(`rejection: ${event.reason}`));
  document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sample }) => {
    violations.push(`policy: ${violatedDirective} ${blockedURI} ${sample}`);
  });

  // Elements of the page's markup, and those that its scripts create.
  const markup = new Set(('html head meta title link script body svg symbol path use main form img h1 h2 p label input '
    + 'code button div nav header span ul li textarea aside dialog noscript strong time bdi').split(' '));
  const created = new Set('div span p li button time bdi svg use'.split(' '));
  const references = /^(#icon-[a-z]+|chat\.css|chat\.js|icon\.svg)$/;
  function check(element) {
    const allowed = isParsed ? created : markup;
    let violation = allowed.has(element.localName) ? '' : 'element';
    for (const { name, value } of element.attributes) {
      if (/^on|^style$|^srcdoc$|action$/.test(name)) violation = name;
      if (/^(src|href|xlink:href|data|poster)$/.test(name) && !references.test(value)) violation = name;
    }
    if (violation) violations.push(`${violation}: ${element.outerHTML.slice(0, 200)}`);
  }
  function examine(records) {
    for (const { target, addedNodes, type } of records) {
      if (type === 'attributes') check(target);
      for (const node of addedNodes) {
        if (node.nodeType !== Node.ELEMENT_NODE) continue;
        check(node);
        node.querySelectorAll('*').forEach(check);
      }
    }
  }
  const observer = new MutationObserver(examine);
  observer.observe(document, {
    subtree: true, childList: true, attributes: true,
    attributeFilter: ['onclick', 'onerror', 'onload', 'onfocus', 'style', 'src', 'href', 'srcdoc', 'formaction', 'action'],
  });
  // The markup is parsed at this point, and no script of the page has run.
  document.addEventListener('readystatechange', () => {
    examine(observer.takeRecords());
    isParsed = true;
  }, { once: true });

  // Exposes the last connection, so that a test can drop its messages.
  const NativeWebSocket = window.WebSocket;
  window.WebSocket = class extends NativeWebSocket {
    constructor(...values) {
      super(...values);
      window.__socket = this;
    }
  };
})();
