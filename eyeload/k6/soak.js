// Few events for a long time, some of them sent again: a client that has no answer sends an
// event again, and must get the same sequence however much later it does.

import { config, demand, pace } from './lib/config.js';
import { arrivals, summaryTrendStats, thresholds } from './lib/options.js';
import { Visitors } from './lib/events.js';
import { send, sendAgain } from './lib/api.js';
import { summary } from './lib/summary.js';

demand('ingestKey');

// Few virtual users, so that each has stored enough events to send again.
const vus = Math.min(config.vus, 10);

export const options = {
  scenarios: { soak: arrivals('soak', { ...pace(5, '30m'), vus }) },
  thresholds: thresholds({ ingest: config.p99, resend: config.p99 }),
  summaryTrendStats,
};

const visitors = new Visitors(3);

// The stored events of this virtual user. The first ones are kept for ever, so that duplicates
// become as old as the run; the later ones replace one another.
const remembered = [];
const room = 1000;
let sent = 0;

function remember(made) {
  const kept = { event: made.event, place: made.place };
  if (remembered.length < room) {
    remembered.push(kept);
  } else {
    remembered[room / 2 + Math.floor(Math.random() * (room / 2))] = kept;
  }
}

export function soak() {
  const made = visitors.next(Date.now());
  if (send(made)) {
    remember(made);
  }
  sent += 1;
  if (sent % config.resendEvery === 0 && remembered.length > 0) {
    sendAgain(remembered[Math.floor(Math.random() * remembered.length)]);
  }
}

export const handleSummary = summary('soak');
