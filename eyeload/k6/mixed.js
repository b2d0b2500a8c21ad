// Single events, batches and queries at the same time. RATE is the rate of the single
// events, and of those in batches as well.

import { config, demand, pace } from './lib/config.js';
import { arrivals, batching, summaryTrendStats, thresholds } from './lib/options.js';
import { Visitors } from './lib/events.js';
import { send, sendBatch } from './lib/api.js';
import { bounds, queryScenarios, seed } from './lib/queries.js';
import { summary } from './lib/summary.js';

demand('ingestKey', 'readKey');

const speed = pace(100, '30s');

export const options = {
  scenarios: { ingest: arrivals('ingest', speed), batch: batching('batch', speed), ...queryScenarios(speed) },
  thresholds: thresholds({ ingest: config.p99, batch: config.p99, ...bounds }),
  summaryTrendStats,
};

export function setup() {
  return seed();
}

// k6 may use one virtual user for several scenarios, one after another.
const visitors = new Visitors(3);
const applications = new Visitors(Math.ceil(config.batch / 5));

export function ingest() {
  send(visitors.next(Date.now()));
}

export function batch() {
  sendBatch(applications.batch(config.batch, Date.now()));
}

export { timelines, pages, sessions, byId } from './lib/queries.js';

export const handleSummary = summary('mixed');
