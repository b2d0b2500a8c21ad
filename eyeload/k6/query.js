// Queries: timelines, a category within a range of time, sessions, single events.

import { demand, pace } from './lib/config.js';
import { summaryTrendStats, thresholds } from './lib/options.js';
import { bounds, queryScenarios, seed } from './lib/queries.js';
import { summary } from './lib/summary.js';

demand('ingestKey', 'readKey');

export const options = {
  scenarios: queryScenarios(pace(1, '30s')),
  thresholds: thresholds(bounds),
  summaryTrendStats,
};

export function setup() {
  return seed();
}

export { timelines, pages, sessions, byId } from './lib/queries.js';

export const handleSummary = summary('query');
