// What a person has to know about the numbers before believing them.

import { el, name, replace } from './dom.js';
import { amount, grouped, parse, unpriced } from './money.js';

const NAMED = 5;

export function showNotices(node, data) {
  replace(
    node,
    [nothing, blind, doubt].map((make) => make(data)),
  );
}

function notice(tone, ...children) {
  return el('p', { class: `notice ${tone}` }, children);
}

function nothing({ ledger }) {
  if (ledger.newest_record) return null;
  return notice(
    '',
    'Nothing has been read yet. The ledger is open and waits for the files that the ',
    el('code', {}, '[[source]]'),
    ' entries of the config name. To try it: ',
    el('code', {}, 'tollkeeper simulate --out demo'),
    ', and give those files as a source.',
  );
}

function blind({ main, models }) {
  const tokens = unpriced(main.total.sums);
  if (tokens === 0n) return null;
  const without = models.groups.filter((group) => unpriced(group.sums) > 0n);
  const named = without
    .slice(0, NAMED)
    .map((group, at) => [at ? ', ' : '', name(group.labels[0])])
    .flat();
  const more = without.length - NAMED;
  return notice(
    'bad',
    el('b', {}, `${grouped(tokens.toString())} tokens have no price`),
    ' and are in no dollar amount on this page: ',
    named,
    more > 0 ? ` and ${more} more models` : null,
    '. Give them a price in a file of ',
    el('code', {}, '[prices] files'),
    ', or say in ',
    el('code', {}, '[models]'),
    ' what stands behind an ARN; ',
    el('code', {}, 'tollkeeper doctor'),
    ' prints the lines to paste.',
  );
}

function doubt({ main, shown }) {
  const { early, late, between } = main.doubt;
  const off = [
    [early, 'may be missing at the beginning'],
    [late, 'may be of after the end'],
    [between, 'may belong to a later step'],
  ]
    .filter(([share]) => share.requests > 0)
    .map(([share, what], at) => [at ? '; ' : '', amount(parse(share.spent_usd)), ` ${what}`])
    .flat();
  if (off.length === 0) return null;
  return notice('', `Older usage is kept by the hour or the day, so of the ${shown.long}: `, off, '.');
}
