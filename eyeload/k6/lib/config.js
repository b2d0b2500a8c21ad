// All variables of the scripts, with their defaults. docs/k6.md has the same list for readers.
// k6 passes the environment of its own process on; `k6 run -e NAME=value` sets a variable for a
// run.

function text(name, fallback) {
  const value = __ENV[name];
  return value === undefined || value === '' ? fallback : value;
}

function whole(name, fallback) {
  const value = text(name, String(fallback));
  if (!/^[1-9][0-9]*$/.test(value)) {
    throw new Error(`${name} is a whole number of at least 1, not "${value}"`);
  }
  return Number(value);
}

export const config = {
  // The URL of the service, without a slash at its end.
  url: text('THEEYE_URL', 'http://127.0.0.1:8080').replace(/\/+$/, ''),
  ingestKey: text('THEEYE_INGEST_KEY', ''),
  readKey: text('THEEYE_READ_KEY', ''),

  // The number of events in a request of batch.js, of mixed.js and of the setup of queries. The
  // service rejects more than its limits.batch_events.
  batch: whole('BATCH', 100),
  // The number of queries of each kind a second.
  queryRate: whole('QUERY_RATE', 5),
  // The bounds of the 99th percentile, in milliseconds.
  p99: whole('P99_MS', 500),
  queryP99: whole('QUERY_P99_MS', 500),
  // Virtual users of each scenario. An arrival that finds no free one is dropped, and a dropped
  // arrival fails the run, so there are more than a good run needs.
  vus: whole('VUS', 50),
  queryVUs: whole('QUERY_VUS', 10),
  // The number of sessions that are stored before the queries.
  sessions: whole('SESSIONS', 40),
  // The number of events on a page, and the number of pages that are followed.
  page: whole('PAGE', 50),
  pages: whole('PAGES', 5),
  // The number of new events after which soak.js sends one event again.
  resendEvery: whole('RESEND_EVERY', 10),
  // The time after which a request counts as failed; the service itself
  // answers within its budget of 5 s.
  timeout: text('TIMEOUT', '10s'),
  // The folder of the summaries, which must exist; without it they are only printed to standard
  // output.
  summaryDir: text('SUMMARY_DIR', '').replace(/\/+$/, ''),
};

// pace reads the rate of events and the duration. Each script has its own defaults.
export function pace(rate, duration) {
  return { rate: whole('RATE', rate), duration: text('DURATION', duration) };
}

// demand ends a run at once if a key is missing, and names its variable.
export function demand(...names) {
  const variables = { ingestKey: 'THEEYE_INGEST_KEY', readKey: 'THEEYE_READ_KEY' };
  const missing = names.filter((name) => config[name] === '').map((name) => variables[name]);
  if (missing.length > 0) {
    throw new Error(`set ${missing.join(' and ')}: theeye dev writes them to dev.env, theeye key create makes others`);
  }
}
