// Asking the daemon. What is held already is not sent again; what goes wrong is told as a sentence.

const held = new Map();
const HELD_MAX = 80;
const TIMEOUT = 20_000;

// How often something new was committed, as far as is known.
let commits = 0;
export const committed = () => (commits += 1);

// How far the daemon's clock is ahead of this one; small differences are those of whole seconds.
let ahead = 0;
export const now = () => Date.now() + ahead;

// Why there is no answer. `status` is 0 if the daemon was not reached.
export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

// Where the daemon answers: beside the page, without the login that may stand in its address.
export const place = (path) => `${location.origin}${location.pathname}api/v1/${path}`;

// Returns the answer, the very same object while nothing has changed. What was used does not change between
// commits; where it hardly changes with one, `patience` milliseconds may pass before it is asked again.
export async function ask(path, parameters = [], patience = 0) {
  const query = new URLSearchParams(parameters).toString();
  const url = place(`${path}${query ? `?${query}` : ''}`);
  const known = held.get(url);
  const asked = { commits, at: Date.now() };
  if (path === 'usage' && known && (known.commits === commits || asked.at - known.at < patience)) return known.body;
  const response = await reach(url, known);
  const date = Date.parse(response.headers.get('date') ?? '');
  if (!Number.isNaN(date)) {
    const off = date - Date.now();
    ahead = Math.abs(off) > 3_000 ? off : 0;
  }
  if (response.status === 304 && known) return keep(url, { ...known, ...asked });
  if (!response.ok) throw new Problem(response.status, await reason(response));
  return keep(url, { tag: response.headers.get('etag'), body: await response.json(), ...asked });
}

async function reach(url, known) {
  try {
    return await fetch(url, {
      headers: known?.tag ? { 'If-None-Match': known.tag } : {},
      cache: 'no-store',
      signal: AbortSignal.timeout(TIMEOUT),
    });
  } catch {
    throw new Problem(0, 'the daemon does not answer');
  }
}

function keep(url, answer) {
  held.delete(url);
  held.set(url, answer);
  if (held.size > HELD_MAX) held.delete(held.keys().next().value);
  return answer.body;
}

async function reason(response) {
  try {
    return (await response.json()).detail ?? response.statusText;
  } catch {
    return response.statusText || `status ${response.status}`;
  }
}
