// When to ask again: after an event of the daemon's stream, or now and then where there is no stream. While nobody
// looks, nothing is asked.

import { place } from './api.js';

const POLL = 5_000;
const AGAIN = 5_000;
// The daemon says something every ten seconds.
const SILENCE = 25_000;

export class Live {
  // `wake(what)` is called with 'commit', 'evaluation' or 'beat'; `tell(how)` with 'live', 'polling' or 'paused'.
  constructor(wake, tell) {
    this.wake = wake;
    this.tell = tell;
    document.addEventListener('visibilitychange', () => this.look());
    addEventListener('pagehide', () => this.stop());
    addEventListener('pageshow', (event) => event.persisted && this.look());
    this.look();
  }

  look() {
    this.stop();
    if (document.hidden) {
      this.tell('paused');
    } else {
      this.listen();
    }
  }

  stop() {
    this.stream?.close();
    this.stream = undefined;
    clearTimeout(this.retry);
    clearInterval(this.poll);
    clearInterval(this.watch);
    this.poll = undefined;
  }

  listen() {
    this.stream?.close();
    const stream = new EventSource(place('events'));
    this.stream = stream;
    let heard = Date.now();
    stream.addEventListener('open', () => {
      clearInterval(this.poll);
      this.poll = undefined;
      heard = Date.now();
      this.tell('live');
    });
    for (const what of ['commit', 'evaluation', 'beat']) {
      stream.addEventListener(what, () => {
        heard = Date.now();
        this.wake(what);
      });
    }
    stream.addEventListener('error', () => {
      this.fall();
      // A stream that was refused is not tried again by the browser.
      if (stream.readyState === EventSource.CLOSED) {
        clearTimeout(this.retry);
        this.retry = setTimeout(() => this.listen(), AGAIN);
      }
    });
    // After a sleep, or behind a network that forgot it, a stream is silent and not closed.
    clearInterval(this.watch);
    this.watch = setInterval(() => {
      if (Date.now() - heard < SILENCE) return;
      this.fall();
      this.listen();
    }, AGAIN);
  }

  fall() {
    this.tell('polling');
    this.poll ??= setInterval(() => this.wake('commit'), POLL);
    this.wake('commit');
  }
}
