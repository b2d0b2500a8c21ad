// All at once: single events, batches and questions. RATE is the rate of the single
// events, and of those in batches as well.

import { config, demand, pace } from './lib/config.js';
import { arrivals, batching, summaryTrendStats, thresholds } from './lib/options.js';
import { Crowd } from './lib/events.js';
import { send, sendBatch } from './lib/api.js';
import { asking, bounds, seed } from './lib/queries.js';
import { summary } from './lib/summary.js';

demand('ingestKey', 'readKey');

const speed = pace(100, '30s');

export const options = {
  scenarios: { ingest: arrivals('ingest', speed), batch: batching('batch', speed), ...asking(speed) },
  thresholds: thresholds({ ingest: config.p99, batch: config.p99, ...bounds }),
  summaryTrendStats,
};

export function setup() {
  return seed();
}

// k6 may let one virtual user serve several scenarios, one after the other.
const visitors = new Crowd(3);
const applications = new Crowd(Math.ceil(config.batch / 5));

export function ingest() {
  send(visitors.next(Date.now()));
}

export function batch() {
  sendBatch(applications.batch(config.batch, Date.now()));
}

export { timelines, pages, sessions, byId } from './lib/queries.js';

export const handleSummary = summary('mixed');
