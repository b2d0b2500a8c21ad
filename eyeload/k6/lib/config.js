// Every variable that the scripts read stands here, with its default. docs/k6.md
// has the same list for people. k6 passes the environment of its own process on;
// `k6 run -e NAME=value` sets one for a run.

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
  // The service, without a slash at its end.
  url: text('THEEYE_URL', 'http://127.0.0.1:8080').replace(/\/+$/, ''),
  ingestKey: text('THEEYE_INGEST_KEY', ''),
  readKey: text('THEEYE_READ_KEY', ''),

  // Events of one request of batch.js, of mixed.js and of the setup of queries. The
  // service refuses more than its limits.batch_events.
  batch: whole('BATCH', 100),
  // Questions of each kind that are asked in a second.
  queryRate: whole('QUERY_RATE', 5),
  // The bounds in milliseconds that 99 of 100 requests stay under.
  p99: whole('P99_MS', 500),
  queryP99: whole('QUERY_P99_MS', 500),
  // Virtual users of each scenario. An arrival that finds none free is dropped, and
  // a dropped arrival fails the run, so there are more than a good run needs.
  vus: whole('VUS', 50),
  queryVUs: whole('QUERY_VUS', 10),
  // Sessions that are stored before questions are asked.
  sessions: whole('SESSIONS', 40),
  // Events of one page, and how many pages are followed.
  page: whole('PAGE', 50),
  pages: whole('PAGES', 5),
  // soak.js sends one event again after so many new ones.
  resendEvery: whole('RESEND_EVERY', 10),
  // How long a request may take before it counts as failed; the service itself
  // answers within its budget of 5 s.
  timeout: text('TIMEOUT', '10s'),
  // The folder of the summaries, which must exist; without it they go to standard
  // output only.
  summaryDir: text('SUMMARY_DIR', '').replace(/\/+$/, ''),
};

// pace reads how many events a second are sent, and for how long. Scripts differ
// in what is sensible.
export function pace(rate, duration) {
  return { rate: whole('RATE', rate), duration: text('DURATION', duration) };
}

// demand ends a run that would be refused at once, with the name of what is missing.
export function demand(...names) {
  const variables = { ingestKey: 'THEEYE_INGEST_KEY', readKey: 'THEEYE_READ_KEY' };
  const missing = names.filter((name) => config[name] === '').map((name) => variables[name]);
  if (missing.length > 0) {
    throw new Error(`set ${missing.join(' and ')}: theeye dev writes them to dev.env, theeye key create makes others`);
  }
}
