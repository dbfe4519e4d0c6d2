// Why calls were throttled, and how much room limits leave.

import { bar, el, more, name, replace, table, visible } from './dom.js';
import { count, percent } from './money.js';
import { clock } from './time.js';

const POOLS_MAX = 12;
const MINUTES_MAX = 3;
const HOLDERS_MAX = 5;
const QUOTAS = { tokens_per_minute: 'Tokens/min', requests_per_minute: 'Requests/min', tokens_per_day: 'Tokens/day' };

export function showQuotas(section, { quotas, state }) {
  const body = section.querySelector('.body');
  const pools = [...quotas.pools].sort(
    (one, other) => other.throttled_minutes.length - one.throttled_minutes.length || fullness(other) - fullness(one),
  );
  const explained = pools.filter(({ throttled_minutes: minutes }) => minutes.length > 0);
  replace(
    body,
    explained.length
      ? explained.slice(0, POOLS_MAX).map((pool) => reasons(pool, state.zone))
      : el('p', { class: 'empty' }, 'No throttled call in the last ten minutes.'),
    logs(quotas.logs),
    pools.length ? limits(pools) : null,
  );
}

const fullness = (pool) =>
  Math.max(0, ...pool.quotas.map((quota) => (quota.headroom_ratio === null ? 0 : 1 - quota.headroom_ratio)));

const title = ({ model, region, account, route }) => [name(model), ` · ${route} · ${region} · ${visible(account)}`];

function reasons(pool, zone) {
  const shown = pool.throttled_minutes.slice(0, MINUTES_MAX);
  const others = pool.throttled_minutes.length - shown.length;
  const advice = new Set(shown.flatMap((minute) => minute.advice));
  return el(
    'article',
    { class: 'reason' },
    el('h3', {}, title(pool)),
    shown.map((minute) =>
      el(
        'p',
        {},
        el('b', {}, clock(Date.parse(minute.minute), zone)),
        ' ',
        el(
          'span',
          { class: 'tag bad' },
          `${count(minute.throttled_requests + minute.throttled_requests_elsewhere)} throttled`,
        ),
        ' ',
        el('bdi', {}, visible(minute.text)),
        held(minute.holders),
      ),
    ),
    advice.size
      ? el(
          'ul',
          {},
          [...advice].map((line) => el('li', {}, el('bdi', {}, visible(line)))),
        )
      : null,
    others > 0
      ? el('p', { class: 'quiet' }, `and ${others} more minute${others === 1 ? '' : 's'} of the last ten`)
      : null,
  );
}

function held(holders) {
  if (holders.length === 0) return null;
  return el(
    'span',
    { class: 'quiet' },
    '; held by ',
    holders
      .slice(0, HOLDERS_MAX)
      .map((holder, at) => [
        at ? ', ' : '',
        name(holder.principal),
        ` (${count(holder.reserved_tokens)} tokens, ${calls(holder.requests)})`,
      ])
      .flat(),
  );
}

const calls = (number) => `${count(number)} call${number === 1 ? '' : 's'}`;

function logs(all) {
  const rows = all
    .filter(({ throttled_requests: throttled }) => throttled > 0)
    .map((log) => [
      name(log.model),
      log.source.replaceAll('_', ' '),
      log.window,
      percent(log.throttled_requests / log.requests),
      count(log.throttled_requests),
      count(log.requests),
      log.retry_amplification_ratio === null ? '–' : log.retry_amplification_ratio.toFixed(2),
    ]);
  if (rows.length === 0) return null;
  const columns = [
    { title: 'Model' },
    { title: 'Which log says it' },
    { title: 'Last' },
    { title: 'Throttled', number: true },
    { title: 'Throttled calls', number: true },
    { title: 'Calls', number: true },
    { title: 'Attempts a call', number: true },
  ];
  return el(
    'div',
    {},
    el('h3', {}, 'What each log says; the same calls may be in several'),
    table('Throttled calls by log', columns, rows),
  );
}

function limits(pools) {
  const kinds = Object.keys(QUOTAS);
  const rows = pools
    .slice(0, POOLS_MAX)
    .map((pool) => [
      el('span', {}, title(pool)),
      ...kinds.map((kind) => use(pool.quotas.find(({ quota }) => quota === kind))),
    ]);
  const columns = [
    { title: 'Shared by' },
    ...kinds.map((kind) => ({ title: QUOTAS[kind], number: true, hint: 'used, of the limit' })),
  ];
  return el(
    'div',
    {},
    el('h3', {}, 'Limits, the fullest first'),
    table('Limits', columns, rows),
    more(pools.length - POOLS_MAX, 'quotas'),
  );
}

function use(quota) {
  if (!quota) return '–';
  if (quota.limit === null) return el('span', { class: 'quiet', title: 'the limit is not known' }, count(quota.used));
  const share = 1 - (quota.headroom_ratio ?? 1);
  return el(
    'span',
    { class: 'of', title: `the limit is from: ${quota.limit_source}` },
    el('span', {}, `${count(quota.used)} of ${count(quota.limit)}`),
    bar(share, share > 0.9 ? 'bad' : ''),
  );
}
