// Batches: the same rate of events as ingest.js in fewer requests.

import { config, demand, pace } from './lib/config.js';
import { batching, summaryTrendStats, thresholds } from './lib/options.js';
import { Visitors } from './lib/events.js';
import { sendBatch } from './lib/api.js';
import { summary } from './lib/summary.js';

demand('ingestKey');

export const options = {
  scenarios: { batch: batching('batch', pace(1000, '30s')) },
  thresholds: thresholds({ batch: config.p99 }),
  summaryTrendStats,
};

// As many sessions as in a batch of a busy application.
const visitors = new Visitors(Math.ceil(config.batch / 5));

export function batch() {
  sendBatch(visitors.batch(config.batch, Date.now()));
}

export const handleSummary = summary('batch');
