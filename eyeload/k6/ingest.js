// Single events at a fixed rate.

import { config, demand, pace } from './lib/config.js';
import { arrivals, summaryTrendStats, thresholds } from './lib/options.js';
import { Crowd } from './lib/events.js';
import { send } from './lib/api.js';
import { summary } from './lib/summary.js';

demand('ingestKey');

export const options = {
  scenarios: { ingest: arrivals('ingest', pace(100, '30s')) },
  thresholds: thresholds({ ingest: config.p99 }),
  summaryTrendStats,
};

// Each virtual user sees to sessions of its own, one request after the other, and
// so knows which sequence comes next.
const crowd = new Crowd(3);

export function ingest() {
  send(crowd.next(Date.now()));
}

export const handleSummary = summary('ingest');
