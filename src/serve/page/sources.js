// What was read of each source, and how far behind it is.

import { el, name, replace, table } from './dom.js';
import { count, grouped } from './money.js';
import { duration, when } from './time.js';

const FINE = new Set(['accepted', 'duplicate', 'ignored', 'corroborated']);
// Behind by so much, somebody should look.
const LATE = 5 * 60;

export function showSources(section, { sources, state, at }) {
  const body = section.querySelector('.body');
  if (sources.sources.length === 0) {
    replace(
      body,
      el(
        'p',
        { class: 'empty' },
        'No source has been read yet. Each ',
        el('code', {}, '[[source]]'),
        ' of the config names files in ',
        el('code', {}, 'include'),
        '; are there any? ',
        el('code', {}, 'tollkeeper doctor FILES'),
        ' tells what they hold.',
      ),
    );
    return;
  }
  const columns = [
    { title: 'Source' },
    { title: 'Behind' },
    { title: 'To read', number: true },
    { title: 'Newest record' },
    { title: 'Counted', number: true },
    { title: 'Not understood', number: true },
    { title: 'Lost', number: true },
    { title: 'Files', number: true },
  ];
  replace(
    body,
    table(
      'Sources',
      columns,
      sources.sources.map((source) => row(source, state.zone, at)),
    ),
  );
}

function row(source, zone, at) {
  const refused = Object.entries(source.lines).filter(([result]) => !FINE.has(result));
  const count_of = (list) => list.reduce((sum, [, lines]) => sum + lines, 0);
  const newest = Date.parse(source.newest_record ?? '');
  return [
    name(source.source),
    source.lag_seconds > 0
      ? el('span', { class: source.lag_seconds > LATE ? 'bad-text' : '' }, duration(source.lag_seconds * 1000))
      : 'no',
    bytes(source.backlog_bytes),
    source.newest_record
      ? el('span', {}, when(newest, zone), el('span', { class: 'under' }, `${duration(at - newest)} ago`))
      : el('span', { class: 'quiet' }, 'none'),
    count(source.lines.accepted ?? 0),
    problems(count_of(refused), refused.map(([result, lines]) => `${result}: ${count(lines)}`).join(', ')),
    problems(source.lost_bytes, 'bytes that were in no file any more before they were read', bytes),
    source.unreadable_paths
      ? el(
          'span',
          { class: 'bad-text', title: 'the log of the daemon says which' },
          `${source.files}, ${source.unreadable_paths} can't be read`,
        )
      : count(source.files),
  ];
}

function problems(number, hint, show = count) {
  return number ? el('span', { class: 'bad-text', title: hint }, show(number)) : '0';
}

function bytes(number) {
  for (const [unit, size] of [
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ]) {
    if (number >= size) return `${(number / size).toFixed(1)} ${unit}`;
  }
  return number ? `${grouped(String(number))} B` : '0';
}
