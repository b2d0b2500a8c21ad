// The parts of the options that the scripts share.

import { config } from './config.js';

// Trends that a summary shows; k6 leaves p(99) out unless asked.
export const summaryTrendStats = ['avg', 'min', 'med', 'p(95)', 'p(99)', 'max', 'count'];

// arrivals is a scenario that starts `exec` at a fixed rate, whatever the service does: a slow
// service is measured as slow, and does not slow down its own test. rate is the number of
// starts in each timeUnit.
export function arrivals(exec, { rate, timeUnit = '1s', duration, vus = config.vus }) {
  return { executor: 'constant-arrival-rate', exec, rate, timeUnit, duration, preAllocatedVUs: vus, maxVUs: vus };
}

// batching is a scenario with `rate` events a second in batches: k6 requires an integer number
// of starts, so the unit of time is adapted.
export function batching(exec, { rate, duration }) {
  return arrivals(exec, { rate, timeUnit: `${config.batch}s`, duration });
}

// thresholds fail a run on a failed request, a failed check, a dropped arrival, or a 99th
// percentile over its bound. bounds maps the names that requests are tagged with to
// milliseconds. Each name must have been requested, because k6 passes a bound without values.
export function thresholds(bounds) {
  const all = {
    http_req_failed: ['rate==0'],
    checks: ['rate==1'],
    dropped_iterations: ['count==0'],
  };
  for (const [name, milliseconds] of Object.entries(bounds)) {
    all[`http_req_duration{name:${name}}`] = [`p(99)<${milliseconds}`];
    all[`http_reqs{name:${name}}`] = ['count>0'];
  }
  return all;
}
