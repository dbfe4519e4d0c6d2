// Alerts that fire or are about to, with who explains them.

import { el, more, replace, visible } from './dom.js';
import { duration, when } from './time.js';

const URGENCY = ['page', 'ticket', 'notice'];
const SHOWN_MAX = 30;

export function showAlerts(section, { alerts, state, at }) {
  const body = section.querySelector('.body');
  const rank = (alert) => (alert.phase === 'firing' ? 0 : 10) + URGENCY.indexOf(alert.severity);
  const all = [...alerts.alerts].sort((one, other) => rank(one) - rank(other));
  section.classList.toggle('calm', all.length === 0);
  if (all.length === 0) {
    replace(body, el('p', { class: 'empty' }, 'No alert fires.'));
    return;
  }
  replace(
    body,
    el(
      'ul',
      { class: 'alerts' },
      all.slice(0, SHOWN_MAX).map((alert) => item(alert, state.zone, at)),
    ),
    more(all.length - SHOWN_MAX, 'alerts'),
  );
}

function item(alert, zone, at) {
  const isFiring = alert.phase === 'firing';
  const since = Date.parse(alert.fired ?? alert.since);
  const labels = Object.entries(alert.labels)
    .map(([label, value]) => `${label}=${visible(value)}`)
    .join(' ');
  return el(
    'li',
    { class: `alert ${isFiring ? `is-${alert.severity}` : 'is-pending'}` },
    el(
      'p',
      {},
      el(
        'span',
        { class: `tag ${isFiring && alert.severity === 'page' ? 'bad' : ''}` },
        isFiring ? alert.severity : 'pending',
      ),
      ' ',
      el('b', {}, el('bdi', {}, visible(alert.summary))),
    ),
    el(
      'p',
      { class: 'quiet' },
      `${alert.alert} · `,
      el('bdi', {}, labels),
      labels ? ' · ' : '',
      `${isFiring ? 'fires' : 'pending'} since ${when(since, zone)} (${duration(at - since)})`,
    ),
    alert.details.length
      ? el(
          'ul',
          {},
          alert.details.map((line) => el('li', {}, el('bdi', {}, visible(line)))),
        )
      : null,
  );
}
