// What is shown, as it stands in the address: a link to it shows the same.

import { LOCAL, RANGES } from './time.js';
import { MEASURES } from './money.js';

const DEFAULTS = { range: '24h', by: 'model', show: 'spend' };
const FILTERS_MAX = 40;

export function read(search) {
  const query = new URLSearchParams(search);
  const one = (name, known) => {
    const value = query.get(name);
    return value !== null && known(value) ? value : DEFAULTS[name];
  };
  const state = {
    range: one('range', (text) => Object.hasOwn(RANGES, text)),
    by: one('by', (text) => /^[a-z_]+$|^attr:./.test(text)),
    show: one('show', (text) => Object.hasOwn(MEASURES, text)),
    zone: query.get('zone') === 'UTC' ? 'UTC' : LOCAL,
    filters: query.getAll('where').slice(0, FILTERS_MAX).map(split).filter(Boolean),
    tables: new Set(query.getAll('table')),
  };
  const [from, to] = ['from', 'to'].map((name) => Date.parse(query.get(name) ?? ''));
  return from < to ? { ...state, range: 'custom', from, to } : state;
}

export function write(state) {
  const query = new URLSearchParams();
  if (state.range === 'custom') {
    query.set('from', new Date(state.from).toISOString());
    query.set('to', new Date(state.to).toISOString());
  }
  for (const name of Object.keys(DEFAULTS)) {
    if (state[name] !== DEFAULTS[name] && state[name] !== 'custom') query.set(name, state[name]);
  }
  if (state.zone === 'UTC' && LOCAL !== 'UTC') query.set('zone', 'UTC');
  for (const { label, pattern } of state.filters) query.append('where', `${label}=${pattern}`);
  for (const table of state.tables) query.append('table', table);
  const text = query.toString();
  return text ? `?${text}` : location.pathname;
}

function split(text) {
  const at = text.indexOf('=');
  return at > 0 ? { label: text.slice(0, at), pattern: text.slice(at + 1) } : null;
}

// The filter for this very value, whatever characters it has.
export const exactly = (label, value) => ({ label, pattern: `=${value}` });

export const isSame = (one, other) => one.label === other.label && one.pattern === other.pattern;
