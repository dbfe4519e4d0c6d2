// Making elements. Text is set as text, always: names come from logs, and may hold anything.

export function el(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

export function svg(tag, props, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), props, children);
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

// What steers the text around it, or can't be seen, is shown by its number.
const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}]/gu;

export function visible(text) {
  return text.replace(UNSEEN, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
}

// A value of a label, apart from the text around it also where it is written from right to left.
export function name(text) {
  return text === '' ? el('i', {}, 'none') : el('bdi', { class: 'name', title: visible(text) }, visible(text));
}

// Puts other children into a node. What had the focus keeps it, if it is still there by its `data-key`.
export function replace(node, ...children) {
  const focused = document.activeElement;
  const key = node.contains(focused) ? focused.dataset?.key : undefined;
  node.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  if (key === undefined) return;
  for (const candidate of node.querySelectorAll('[data-key]')) {
    if (candidate.dataset.key === key) {
      candidate.focus({ preventScroll: true });
      return;
    }
  }
}

// A table that scrolls by itself where it is wider than the page. `columns` are { title, number, key }.
export function table(caption, columns, rows) {
  const cells = (row) =>
    row.map((cell, at) =>
      el(
        at === 0 ? 'th' : 'td',
        {
          scope: at === 0 ? 'row' : null,
          class: columns[at].number ? 'number' : null,
        },
        cell,
      ),
    );
  return el(
    'div',
    { class: 'scroll', role: 'region', 'aria-label': caption, tabindex: '0' },
    el(
      'table',
      {},
      el('caption', { class: 'unseen' }, caption),
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          columns.map(({ title, number, hint }) =>
            el('th', { scope: 'col', class: number ? 'number' : null, title: hint }, title),
          ),
        ),
      ),
      el(
        'tbody',
        {},
        rows.map((row) => el('tr', {}, cells(row))),
      ),
    ),
  );
}

// What stands below a list that is cut; the whole of it is in the API.
export function more(number, where) {
  if (number <= 0) return null;
  return el(
    'p',
    { class: 'quiet' },
    `and ${number} more, in `,
    el('a', { href: `api/v1/${where}` }, `api/v1/${where}`),
  );
}

// A share from 0 to 1 as a bar; the number stands beside it in words.
export function bar(share, tone) {
  const node = el('span', { class: `bar ${tone ?? ''}`, 'aria-hidden': 'true' }, el('span', {}));
  node.firstChild.style.inlineSize = `${Math.min(Math.max(share, 0), 1) * 100}%`;
  return node;
}
