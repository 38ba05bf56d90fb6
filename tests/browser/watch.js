// Runs in every page before its own scripts, and keeps what should not happen there in `__heard`.
(() => {
  const heard = [];
  window.__heard = heard;
  let isParsed = false;

  // What the payloads of the tests do when they run.
  Object.defineProperty(window, '__ran', { set: (value) => heard.push(`ran: ${value}`) });
  for (const name of ['alert', 'confirm', 'prompt', 'print', 'open']) {
    window[name] = (...values) => { heard.push(`${name}: ${values}`); };
  }
  addEventListener('error', (event) => heard.push(`error: ${event.message ?? event.target}`), true);
  addEventListener('unhandledrejection', (event) => heard.push(`rejection: ${event.reason}`));
  document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sample }) => {
    heard.push(`policy: ${violatedDirective} ${blockedURI} ${sample}`);
  });

  // Elements of the page's own markup, and those that its scripts make.
  const markup = new Set(('html head meta title link script body svg symbol path use main form img h1 h2 p label input '
    + 'code button div nav header span ul li textarea aside dialog noscript strong time bdi').split(' '));
  const made = new Set('div span p li button time bdi svg use'.split(' '));
  const references = /^(#icon-[a-z]+|chat\.css|chat\.js|icon\.svg)$/;
  function check(element) {
    const allowed = isParsed ? made : markup;
    let complaint = allowed.has(element.localName) ? '' : 'element';
    for (const { name, value } of element.attributes) {
      if (/^on|^style$|^srcdoc$|action$/.test(name)) complaint = name;
      if (/^(src|href|xlink:href|data|poster)$/.test(name) && !references.test(value)) complaint = name;
    }
    if (complaint) heard.push(`${complaint}: ${element.outerHTML.slice(0, 200)}`);
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
  // The markup is there, and no script has run yet.
  document.addEventListener('readystatechange', () => {
    examine(observer.takeRecords());
    isParsed = true;
  }, { once: true });

  // The last connection, so that a test can lose what comes on it.
  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...values) {
      super(...values);
      window.__socket = this;
    }
  };
})();
