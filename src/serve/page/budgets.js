// Budgets: how full, how fast, and when they will be used up.

import { el, more, name, replace, table } from './dom.js';
import { amount, dollars, grouped, parse, percent } from './money.js';
import { day, duration, when } from './time.js';

// A budget for each of a thousand callers is no table.
const SHOWN_MAX = 50;

export function showBudgets(section, { budgets, state, at }) {
  const body = section.querySelector('.body');
  const all = budgets.budgets;
  if (all.length === 0) {
    replace(
      body,
      el(
        'p',
        { class: 'empty' },
        'No budget is set. A ',
        el('code', {}, '[[budget]]'),
        ' in the config (name, limit_usd, period) tells when money burns too fast, before it is gone; README.md, "Budgets", has examples.',
      ),
    );
    return;
  }
  const urgent = (budget) => (budget.is_exhausted ? 0 : budget.exhausted ? 1 : 2);
  const sorted = [...all].sort((one, other) => urgent(one) - urgent(other) || other.used_ratio - one.used_ratio);
  const columns = [
    { title: 'Budget' },
    { title: 'Used' },
    {
      title: 'Burn 1h · 6h · 3d',
      number: true,
      hint: '1 is just on pace to use the limit up at the end of the period',
    },
    {
      title: 'Forecast',
      number: true,
      hint: 'what the period will come to; between the numbers below it four times of five',
    },
    { title: 'Used up' },
  ];
  replace(
    body,
    table(
      'Budgets',
      columns,
      sorted.slice(0, SHOWN_MAX).map((budget) => row(budget, state.zone, at)),
    ),
    more(sorted.length - SHOWN_MAX, 'budgets'),
  );
}

function row(budget, zone, at) {
  const show = budget.unit === 'usd' ? (text) => amount(parse(text)) : (text) => `${grouped(text)} tokens`;
  const short = budget.unit === 'usd' ? (text) => dollars(parse(text)) : grouped;
  const { forecast, burn_rates: burns, period } = budget;
  const ends = Date.parse(period.end);
  return [
    el(
      'span',
      {},
      name(budget.budget),
      budget.value === null ? null : [' ', name(budget.value)],
      el('span', { class: 'under' }, `until ${day(ends, zone)}, ${duration(ends - at)} left`),
    ),
    el(
      'span',
      {},
      el('span', { class: 'used' }, gauge(budget), el('b', {}, percent(budget.used_ratio))),
      el('span', { class: 'under' }, show(budget.spent), ' of ', show(budget.limit)),
      blind(budget.unpriced_ratio),
    ),
    el(
      'span',
      {},
      [burns['1h'], burns['6h'], burns['3d']].map((rate, place) => [place ? ' · ' : '', pace(rate)]).flat(),
    ),
    forecast
      ? el(
          'span',
          {},
          show(forecast.expected),
          el('span', { class: 'under' }, `${short(forecast.low)} – ${short(forecast.high)}`),
        )
      : el('span', { class: 'quiet' }, 'too early'),
    exhaustion(budget, zone, at),
  ];
}

// From one percent on there is an alert as well.
function blind(ratio) {
  if (ratio === 0) return null;
  const hint = 'tokens without a price are in no dollar amount';
  return el('span', { class: `tag ${ratio >= 0.01 ? 'bad' : ''}`, title: hint }, `blind to ${percent(ratio)}`);
}

function pace(rate) {
  const text = rate === null ? '–' : rate >= 100 ? Math.round(rate).toString() : rate.toFixed(1);
  return el('span', { class: rate > 2 ? 'bad-text' : '' }, text);
}

function exhaustion(budget, zone, at) {
  const then = Date.parse(budget.exhausted ?? '');
  if (budget.is_exhausted) return el('span', { class: 'bad-text' }, `since ${when(then, zone)}`);
  if (budget.exhausted) return el('span', { class: 'bad-text' }, `${when(then, zone)}, in ${duration(then - at)}`);
  return el('span', { class: 'quiet' }, budget.forecast ? 'not in this period' : 'not known yet');
}

// How full a budget is, with the band of the forecast behind and a mark at the limit.
function gauge(budget) {
  const limit = Number(budget.limit);
  const share = (text) => (Math.min(Number(text) / limit, 1.5) / 1.5) * 100;
  const node = el('span', { class: 'gauge', 'aria-hidden': 'true' });
  const part = (kind, from, to) => {
    const piece = el('span', { class: kind });
    piece.style.insetInlineStart = `${from}%`;
    piece.style.inlineSize = `${Math.max(to - from, 0)}%`;
    node.append(piece);
  };
  if (budget.forecast) part('band', share(budget.forecast.low), share(budget.forecast.high));
  part(budget.is_exhausted ? 'full' : 'fill', 0, share(budget.spent));
  part('limit', 100 / 1.5, 100 / 1.5 + 0.8);
  return node;
}
