// The page: it asks what the address says, shows it, and asks again when there is something new.

import { showAlerts } from './alerts.js';
import { Problem, committed, now } from './api.js';
import { showBudgets } from './budgets.js';
import { showControls, showHead } from './controls.js';
import { el, replace } from './dom.js';
import { Live } from './live.js';
import { load } from './load.js';
import { Month } from './month.js';
import { showNotices } from './notices.js';
import { showQuotas } from './quotas.js';
import { showSources } from './sources.js';
import { exactly, isSame, read, write } from './state.js';
import { showTiles } from './tiles.js';
import { Tops } from './tops.js';
import { seconds, span } from './time.js';
import { Usage } from './usage.js';

// The shortest time between two looks, and how long the page rests for each time as long as a look takes.
const PACE = 1_000;
const REST = 8;
const AGAIN = 3_000;
const NAMED = ['model', 'principal', 'account', 'region', 'provider', 'route', 'tier', 'geo', 'item'];

const $ = (id) => document.getElementById(id);
let state = read(location.search);
let dimensions = NAMED;
// When all that is shown was last known to be true.
let fresh;
let next;
let isLooking = false;
let isWanted = false;
let took = 0;
let turn = 0;

const hands = { pick, toggle, zoom };
const usage = new Usage($('usage'), hands);
const month = new Month($('month'), hands);
const models = new Tops($('models'), 'model', hands);
const principals = new Tops($('principals'), 'principal', hands);

function go(change) {
  state = { ...state, ...change };
  history.pushState(null, '', write(state));
  show();
}

// Shows only what has this value.
function pick(label, value) {
  const filter = exactly(label, value);
  if (!state.filters.some((known) => isSame(known, filter))) go({ filters: [...state.filters, filter] });
}

function zoom(from, to) {
  go({ range: 'custom', from, to });
}

function toggle(which) {
  const tables = new Set(state.tables);
  if (!tables.delete(which)) tables.add(which);
  go({ tables });
}

function show() {
  controls();
  title();
  document.body.setAttribute('aria-busy', 'true');
  turn += 1;
  isLooking = false;
  look();
}

// A tab tells how many alerts fire.
function title(firing = 0) {
  document.title = `${firing ? `(${firing}) ` : ''}Tollkeeper · ${span(state, now()).long}`;
}

function controls() {
  showControls($('controls'), state, { dimensions, shown: span(state, now()), go });
}

// Asks for everything that is shown. What an earlier look still gets is not shown any more.
async function look() {
  clearTimeout(next);
  next = undefined;
  // When somebody looks again, the first event of the stream comes here.
  if (document.hidden) return;
  if (isLooking) {
    isWanted = true;
    return;
  }
  isLooking = true;
  isWanted = false;
  const [mine, began] = [turn, performance.now()];
  try {
    const data = await load(state);
    if (mine !== turn) return;
    fresh = data.at;
    render(data);
    replace($('stale'));
  } catch (error) {
    if (mine !== turn) return;
    if (!(error instanceof Problem)) throw error;
    fail(error);
  } finally {
    if (mine === turn) {
      took = performance.now() - began;
      isLooking = false;
      if (isWanted) soon();
    }
  }
}

// Looks when the page has rested.
function soon(least = 0) {
  next ??= setTimeout(look, Math.max(PACE, took * REST, least));
}

function render(data) {
  if (data.ledger.dimensions.join() !== dimensions.join()) {
    dimensions = data.ledger.dimensions;
    controls();
  }
  document.body.removeAttribute('aria-busy');
  title(data.alerts.alerts.filter(({ phase }) => phase === 'firing').length);
  showNotices($('notices'), data);
  showTiles($('tiles'), data);
  showAlerts($('alerts'), data);
  usage.show(data);
  models.show(data);
  principals.show(data);
  showBudgets($('budgets'), data);
  month.show(data);
  showQuotas($('quotas'), data);
  showSources($('sources'), data);
  foot(data);
  document.body.dataset.shown = String(data.main.of.commit);
}

function foot({ ledger, at }) {
  const book = ledger.price_book;
  replace(
    $('foot'),
    `List prices of book ${book.version}, no discounts. As of ${seconds(at, state.zone)} ${state.zone}, ${ledger.series} series in the ledger. `,
    el('a', { href: 'endpoints' }, 'Everything that can be asked'),
  );
}

const SENTENCES = {
  401: 'You are not logged in any more. Load the page again to log in.',
  403: 'You may not see this: your user or token lacks the right to read.',
  503: 'The ledger is being opened. This page fills by itself as soon as it is.',
};

function fail({ status, message }) {
  const unreachable = status === 0;
  const what = SENTENCES[status] ?? (unreachable ? 'The daemon does not answer; is it running?' : message);
  const since = fresh === undefined ? null : el('b', {}, `Stale since ${seconds(fresh, state.zone)}. `);
  replace(
    $('stale'),
    el(
      'p',
      { class: `notice ${status === 503 && !since ? '' : 'bad'}` },
      since,
      what,
      since ? ' The numbers below are of then.' : null,
    ),
  );
  document.body.removeAttribute('aria-busy');
  // A question that makes no sense makes none in a moment either.
  if (unreachable || status >= 500) soon(AGAIN);
}

const HOW = {
  live: ['Live', 'Shows what is committed, within a second or two'],
  polling: ['Polling', 'The stream of events is interrupted; the page asks every 5 s'],
  paused: ['Paused', 'Nobody looks'],
};

function tell(how) {
  const [text, title] = HOW[how];
  const node = $('live');
  if (node.dataset.how === how) return;
  node.dataset.how = how;
  node.title = title;
  node.textContent = text;
}

addEventListener('popstate', () => {
  state = read(location.search);
  show();
});
showHead($('head'));
show();
new Live((what) => {
  if (what === 'commit') committed();
  soon();
}, tell);
