// What is asked for a state, all at once; the daemon answers one question about usage at a time.

import { ask, now } from './api.js';
import { COLOURS } from './colours.js';
import { before, iso, span, today } from './time.js';

// Models with a row of their own; what has no price is at the end of them.
const MODELS_MAX = 200;
export const TOP = 10;
// Of the time before, only late records change anything.
const PATIENCE = 60_000;

export async function load(state) {
  const at = now();
  const shown = span(state, at);
  const filters = state.filters.map(({ label, pattern }) => [label, pattern]);
  const within = ({ from, to }) => [['since', iso(from)], ['until', iso(to)], ['zone', state.zone], ...filters];
  const usage = (time, more, patience) => ask('usage', [...time, ...more], patience);
  const range = within(shown);

  const [ledger, spend, budgets, alerts, quotas, sources] = await Promise.all(
    ['ledger', 'spend', 'budgets', 'alerts', 'quotas', 'sources'].map((path) => ask(path)),
  );
  const month = spend.month && {
    from: Date.parse(spend.month.period.start),
    to: Date.parse(spend.month.period.end),
  };
  const [main, models, principals, day, ofMonth, filteredMonth] = await Promise.all([
    usage(range, [
      ['by', state.by],
      ['step', shown.step],
      ['top', COLOURS],
    ]),
    usage(range, [
      ['by', 'model'],
      ['top', MODELS_MAX],
    ]),
    usage(range, [
      ['by', 'principal'],
      ['top', TOP],
    ]),
    usage([['since', iso(today(at, state.zone))], ...filters], []),
    month &&
      ask('usage', [
        ['since', iso(month.from)],
        ['until', iso(month.to)],
        ['step', '6h'],
      ]),
    month && filters.length ? usage([['since', iso(month.from)], ['until', iso(month.to)], ...filters], []) : null,
  ]);

  const earlier = before(shown, at);
  const then = within(earlier);
  const only = (answer, label) => answer.groups.slice(0, TOP).map((group) => [label, `=${group.labels[0]}`]);
  const [beforeModels, beforePrincipals, beforeAll] = await Promise.all([
    usage(then, [['by', 'model'], ...only(models, 'model')], PATIENCE),
    usage(then, [['by', 'principal'], ...only(principals, 'principal')], PATIENCE),
    usage(then, [], PATIENCE),
  ]);
  return {
    at,
    state,
    shown,
    ledger,
    spend,
    budgets,
    alerts,
    quotas,
    sources,
    main,
    models,
    principals,
    day,
    month,
    ofMonth,
    filteredMonth,
    earlier: { ...earlier, models: beforeModels, principals: beforePrincipals, all: beforeAll },
  };
}

// Whether the ledger knows the whole time before; what it knows only in part can't be compared.
export function isKnown(earlier) {
  const { oldest } = earlier.all.of;
  return oldest !== null && Date.parse(oldest) <= earlier.from;
}

// Whether an answer about the time before is exact: hours can't be cut where a range begins or ends.
export function isExact({ doubt }, earlier) {
  return earlier.isFair && [doubt.early, doubt.late].every((share) => share.requests === 0);
}
