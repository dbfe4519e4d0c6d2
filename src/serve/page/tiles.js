// The numbers to see first.

import { el, replace } from './dom.js';
import { isExact, isKnown } from './load.js';
import { amount, count, dollars, parse, percent, spent, unpriced } from './money.js';
import { change } from './tops.js';
import { HOUR } from './time.js';

export function showTiles(section, data) {
  replace(
    section,
    el(
      'dl',
      {},
      [range, today, month, rate, throttled, firing].map((make) => make(data)),
    ),
  );
}

function tile(title, value, note, tone) {
  return el(
    'div',
    { class: `tile ${tone ?? ''}` },
    el('dt', {}, title),
    el('dd', {}, value),
    note ? el('dd', { class: 'note' }, note) : null,
  );
}

function range({ main, shown, earlier }) {
  const isCompared = shown.to - shown.from >= 6 * HOUR && isKnown(earlier);
  const all = spent(main.total.sums);
  const then = { was: spent(earlier.all.total.sums), isCompared, exactly: isExact(earlier.all, earlier) };
  const note =
    isCompared && then.was > 0n
      ? [change(all, then), ` vs ${earlier.days} d before`]
      : `${count(main.total.sums.requests)} calls`;
  return tile(`Spend, ${shown.long}`, amount(all), note, unpriced(main.total.sums) > 0n ? 'warn' : '');
}

function today({ day }) {
  return tile('Today', amount(spent(day.total.sums)), `${count(day.total.sums.requests)} calls`);
}

function month({ spend, filteredMonth }) {
  if (!spend.month) return tile('This month', '…', 'is being added up');
  const { forecast, spent: so } = spend.month;
  if (filteredMonth) return tile('This month (UTC)', amount(spent(filteredMonth.total.sums)), 'with these filters');
  const note = forecast
    ? el(
        'span',
        { title: `between ${dollars(parse(forecast.low))} and ${dollars(parse(forecast.high))} four times of five` },
        'about ',
        amount(parse(forecast.expected)),
        ' by its end',
      )
    : 'too early for a forecast';
  return tile('This month (UTC)', amount(parse(so)), note);
}

function rate({ spend, state }) {
  const total = spend.spend.find(({ dimension }) => dimension === 'total');
  if (!total) return tile('Rate now', '$0/h', 'nothing in the last minutes');
  const now = parse(total.usd_per_hour);
  const usual = total.usual_usd_per_hour && parse(total.usual_usd_per_hour);
  const isHigh = now >= parse(total.spike_usd_per_hour) && now > 0n;
  const note = usual ? ['usual ', amount(usual), '/h'] : 'what is usual is not known yet';
  const isPart = state.filters.length > 0;
  return tile('Rate now', [amount(now), '/h'], isPart ? 'of everything' : note, isHigh ? 'bad' : '');
}

function throttled({ main }) {
  const { requests, outcomes } = main.total.sums;
  const calls = outcomes?.throttled ?? 0;
  const share = requests ? calls / requests : 0;
  return tile('Throttled', percent(share), `${count(calls)} of ${count(requests)} calls`, share >= 0.05 ? 'bad' : '');
}

function firing({ alerts }) {
  const all = alerts.alerts.filter(({ phase }) => phase === 'firing');
  const pages = all.filter(({ severity }) => severity === 'page').length;
  const note = all.length ? (pages ? `${pages} would page` : 'none would page') : 'all is quiet';
  return tile('Alerts firing', count(all.length), note, pages ? 'bad' : all.length ? 'warn' : '');
}
