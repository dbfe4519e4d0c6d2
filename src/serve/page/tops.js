// The dearest models and principals, with what changed against the same time some weeks before.

import { bar, el, name, replace, table } from './dom.js';
import { TOP, isExact, isKnown } from './load.js';
import { amount, count, dollars, percent, spent, unpriced } from './money.js';
import { HOUR, dayOfMonth } from './time.js';

// Shorter ranges can't be compared: what is older than some days is kept by the hour.
const COMPARED = 6 * HOUR;

export class Tops {
  // `label` is what the rows are told apart by: `model` or `principal`.
  constructor(section, label, { pick }) {
    this.body = section.querySelector('.body');
    this.label = label;
    this.pick = pick;
  }

  show(data) {
    const { label } = this;
    const answer = data[`${label}s`];
    const shown = answer.groups.slice(0, TOP);
    if (shown.length === 0) {
      replace(this.body, el('p', { class: 'empty' }, 'Nothing was used in this range.'));
      return;
    }
    const { shown: range, earlier, state } = data;
    const isLong = range.to - range.from >= COMPARED;
    const isCompared = isLong && isKnown(earlier);
    const was = isCompared ? byName(earlier[`${label}s`]) : new Map();
    const exactly = isExact(earlier[`${label}s`], earlier);
    const total = spent(answer.total.sums);
    const hint = isCompared
      ? `against ${dayOfMonth(earlier.from, state.zone)} to ${dayOfMonth(earlier.to, state.zone)}${exactly ? '' : '; about, since hours of then can only be told as a whole'}`
      : isLong
        ? 'the ledger does not reach back so far'
        : 'not told of less than 6 hours: what is older than some days is kept by the hour';
    const columns = [
      { title: label[0].toUpperCase() + label.slice(1) },
      { title: 'Spend', number: true },
      { title: 'Share', number: true },
      { title: isLong ? `vs ${earlier.days} d before` : 'Change', number: true, hint },
      { title: 'Calls', number: true },
      { title: 'Throttled', number: true },
    ];
    const rows = shown.map((group) => this.row(group, total, { was: was.get(group.labels[0]), isCompared, exactly }));
    const more = answer.groups.length - shown.length + (answer.rest?.groups ?? 0);
    const others =
      more > 0
        ? el(
            'p',
            { class: 'quiet' },
            `${more} more ${more === 1 ? 'has' : 'have'} the rest: ${dollars(total - sum(shown))}`,
          )
        : null;
    replace(this.body, table(`${columns[0].title}s by spend`, columns, rows), others);
  }

  row(group, total, then) {
    const [value] = group.labels;
    const now = spent(group.sums);
    const share = total > 0n ? Number((now * 10_000n) / total) / 10_000 : 0;
    const { requests, outcomes } = group.sums;
    const throttled = outcomes?.throttled ?? 0;
    return [
      el(
        'button',
        { class: 'link', 'data-key': `top ${this.label} ${value}`, onclick: () => this.pick(this.label, value) },
        name(value),
      ),
      unpriced(group.sums) > 0n
        ? [
            amount(now),
            ' ',
            el('span', { class: 'tag bad', title: `${unpriced(group.sums)} tokens have no price` }, 'unpriced'),
          ]
        : amount(now),
      el('span', { class: 'share' }, bar(share), percent(share)),
      change(now, then),
      count(requests),
      throttled
        ? el(
            'span',
            {
              class: throttled / requests >= 0.05 ? 'bad-text' : '',
              title: `${count(throttled)} of ${count(requests)} calls`,
            },
            percent(throttled / requests),
          )
        : '0',
    ].map((cell) => (Array.isArray(cell) ? el('span', {}, cell) : cell));
  }
}

const sum = (groups) => groups.reduce((all, group) => all + spent(group.sums), 0n);
const byName = (answer) => new Map(answer.groups.map((group) => [group.labels[0], spent(group.sums)]));

// How much more or less than then; what was nothing has no percentage.
export function change(now, { was, isCompared, exactly }) {
  if (!isCompared) return '–';
  if (!was) return now > 0n ? el('span', { class: 'tag' }, 'new') : '–';
  const tenths = Number(((now - was) * 1_000n) / was);
  const about = exactly ? '' : '≈';
  const text =
    Math.abs(tenths) >= 10_000
      ? `${about}×${(Number((now * 10n) / was) / 10).toFixed(0)}`
      : `${about}${tenths < 0 ? '−' : '+'}${Math.abs(tenths / 10).toFixed(Math.abs(tenths) < 100 ? 1 : 0)}%`;
  return el('span', { class: tenths >= 500 ? 'bad-text' : '', title: `${dollars(was)} then` }, text);
}
