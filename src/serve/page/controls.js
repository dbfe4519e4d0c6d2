// What a person chooses: range, grouping, measure, zone, filters, light or dark.

import { el, name, replace, visible } from './dom.js';
import { MEASURES } from './money.js';
import { LOCAL, RANGES, fromField, toField } from './time.js';

// `go(change)` shows another state.
export function showControls(node, state, { dimensions, shown, go }) {
  replace(
    node,
    ranges(state, go),
    custom(state, shown, go),
    select(
      'Group by',
      'by',
      state.by,
      withOwn(dimensions, state.by).map((by) => [by, visible(by)]),
      (by) => go({ by }),
    ),
    select(
      'Show',
      'show',
      state.show,
      Object.entries(MEASURES).map(([key, { title }]) => [key, title]),
      (show) => go({ show }),
    ),
    LOCAL === 'UTC'
      ? null
      : select(
          'Times in',
          'zone',
          state.zone,
          [
            [LOCAL, LOCAL],
            ['UTC', 'UTC'],
          ],
          (zone) => go({ zone }),
        ),
    chips(state, go),
  );
}

const withOwn = (dimensions, by) => (dimensions.includes(by) ? dimensions : [...dimensions, by]);

function ranges(state, go) {
  return el(
    'div',
    { class: 'group', role: 'group', 'aria-label': 'Range' },
    Object.entries(RANGES).map(([range, { title, long }]) =>
      el(
        'button',
        {
          'data-key': `range ${range}`,
          title: long,
          'aria-pressed': String(state.range === range),
          onclick: () => go({ range }),
        },
        title,
      ),
    ),
  );
}

function custom(state, shown, go) {
  const field = (label, at) =>
    el('input', {
      type: 'datetime-local',
      'aria-label': `${label} (${state.zone})`,
      'data-key': `field ${label}`,
      value: toField(at, state.zone),
    });
  const [from, to] = [field('From', shown.from), field('To', shown.to)];
  const error = el('span', { class: 'bad-text', role: 'alert' });
  const apply = () => {
    const [start, end] = [from, to].map((input) => fromField(input.value, state.zone));
    if (start < end) go({ range: 'custom', from: start, to: end });
    else error.textContent = 'The beginning must be before the end.';
  };
  const onkeydown = ({ key }) => key === 'Enter' && apply();
  for (const input of [from, to]) input.addEventListener('keydown', onkeydown);
  return el(
    'details',
    {
      class: 'custom',
      onkeydown: ({ key, currentTarget: details }) => {
        if (key !== 'Escape' || !details.open) return;
        details.open = false;
        details.firstChild.focus();
      },
    },
    el('summary', { 'data-key': 'custom', class: state.range === 'custom' ? 'on' : '' }, 'Custom'),
    el(
      'div',
      {},
      from,
      el('span', {}, ' to '),
      to,
      el('button', { 'data-key': 'apply', onclick: apply }, 'Apply'),
      error,
    ),
  );
}

function select(label, key, value, options, change) {
  return el(
    'label',
    {},
    el('span', {}, label),
    el(
      'select',
      {
        'data-key': key,
        onchange: ({ target }) => change(target.value),
      },
      options.map(([option, text]) => el('option', { value: option, selected: option === value }, text)),
    ),
  );
}

function chips({ filters }, go) {
  if (filters.length === 0) return null;
  const without = (gone) => filters.filter((_, at) => at !== gone);
  return el(
    'ul',
    { class: 'chips', 'aria-label': 'Filters' },
    filters.map(({ label, pattern }, at) =>
      el(
        'li',
        {},
        `${visible(label)} `,
        told(pattern),
        el(
          'button',
          {
            'data-key': `chip ${label} ${pattern}`,
            'aria-label': `Remove the filter ${visible(label)} ${visible(pattern)}`,
            onclick: () => go({ filters: without(at) }),
          },
          '×',
        ),
      ),
    ),
    filters.length > 1
      ? el('li', { class: 'bare' }, el('button', { class: 'link', onclick: () => go({ filters: [] }) }, 'remove all'))
      : null,
  );
}

// A pattern in words: `=` is this very value, `!` leaves out.
function told(pattern) {
  const [not, rest] = pattern.startsWith('!') ? ['not ', pattern.slice(1)] : ['', pattern];
  return rest.startsWith('=') ? [not, name(rest.slice(1))] : [`${not}like `, name(rest)];
}

export function showHead(node) {
  const root = document.documentElement;
  const isDark = () =>
    root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  const button = el('button', { id: 'theme', class: 'small', onclick: flip });
  function tell() {
    button.textContent = isDark() ? 'Light' : 'Dark';
    button.setAttribute('aria-label', `Show in ${isDark() ? 'light' : 'dark'} colours`);
  }
  function flip() {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    try {
      localStorage.setItem('theme', root.dataset.theme);
    } catch {
      /* It holds as long as the page is open. */
    }
    tell();
  }
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', tell);
  tell();
  replace(node, button);
}
