// Single events at a fixed rate.

import { config, demand, pace } from './lib/config.js';
import { arrivals, summaryTrendStats, thresholds } from './lib/options.js';
import { Visitors } from './lib/events.js';
import { send } from './lib/api.js';
import { summary } from './lib/summary.js';

demand('ingestKey');

export const options = {
  scenarios: { ingest: arrivals('ingest', pace(100, '30s')) },
  thresholds: thresholds({ ingest: config.p99 }),
  summaryTrendStats,
};

// Each virtual user sends the events of its own sessions, one request after another, so that
// it knows the next sequence.
const visitors = new Visitors(3);

export function ingest() {
  send(visitors.next(Date.now()));
}

export const handleSummary = summary('ingest');
