// Requests, and the checks of the answers against the contract: a 2xx is not enough, the
// verdict has to be right.

import http from 'k6/http';
import { check } from 'k6';
import { Counter } from 'k6/metrics';
import { config } from './config.js';

// Events with the verdict stored; the rate of this counter is the throughput.
const stored = new Counter('events_stored');

// Made once, as k6 advises.
const expects = { 200: http.expectedStatuses(200), 201: http.expectedStatuses(201) };

// request sends a request and reads the answer. name groups the requests, instead of a URL
// that contains an id. An answer that is not JSON is read as an empty object, so that checks
// fail and do not throw.
function request(method, path, body, name, status, key) {
  const params = {
    headers: { Authorization: `Bearer ${key}`, Accept: 'application/json' },
    tags: { name },
    timeout: config.timeout,
    responseCallback: expects[status],
  };
  if (body !== null) {
    params.headers['Content-Type'] = 'application/json';
  }
  const answer = http.request(method, config.url + path, body, params);
  return { status: answer.status, document: parsed(answer.body) };
}

function parsed(text) {
  try {
    const document = JSON.parse(text);
    return typeof document === 'object' && document !== null ? document : {};
  } catch (_) {
    return {};
  }
}

function positive(sequence) {
  return Number.isInteger(sequence) && sequence > 0;
}

// send posts one event from Visit.next, and returns whether it was stored correctly.
export function send(made, name = 'ingest') {
  const { status, document } = request('POST', '/v1/events', JSON.stringify(made.event), name, 201, config.ingestKey);
  const good = check(document, {
    [`${name}: status is 201`]: () => status === 201,
    [`${name}: verdict is stored`]: (verdict) => verdict.status === 'stored',
    [`${name}: sequence is a positive number`]: (verdict) => positive(verdict.sequence),
    [`${name}: sequence is the next of its session`]: (verdict) => verdict.sequence === made.place,
    [`${name}: event_id is the one that was sent`]: (verdict) => verdict.event_id === made.event.event_id,
  });
  if (document.status === 'stored') {
    stored.add(1);
  }
  if (!good) {
    made.visit.abandon();
  }
  return good;
}

// sendBatch posts several events in one request.
export function sendBatch(batch, name = 'batch') {
  const body = JSON.stringify(batch.map((made) => made.event));
  const { status, document } = request('POST', '/v1/events', body, name, 201, config.ingestKey);
  const verdicts = Array.isArray(document.results) ? document.results : [];
  const all = (holds) => verdicts.length === batch.length && verdicts.every((verdict, i) => holds(verdict, batch[i]));
  const good = check(document, {
    [`${name}: status is 201`]: () => status === 201,
    [`${name}: all are counted as stored`]: (d) => d.stored === batch.length && d.duplicates === 0 && d.rejected === 0,
    [`${name}: every verdict is stored`]: () => all((verdict) => verdict.status === 'stored'),
    [`${name}: every sequence is a positive number`]: () => all((verdict) => positive(verdict.sequence)),
    [`${name}: every sequence is the next of its session`]: () => all((verdict, made) => verdict.sequence === made.place),
    [`${name}: verdicts are in the order sent`]: () => all((verdict, made) => verdict.event_id === made.event.event_id),
  });
  stored.add(verdicts.filter((verdict) => verdict.status === 'stored').length);
  if (!good) {
    batch.forEach((made) => made.visit.abandon());
  }
  return good;
}

// sendAgain posts a stored event again, which must change nothing.
export function sendAgain(made, name = 'resend') {
  const { status, document } = request('POST', '/v1/events', JSON.stringify(made.event), name, 200, config.ingestKey);
  return check(document, {
    [`${name}: status is 200`]: () => status === 200,
    [`${name}: verdict is duplicate`]: (verdict) => verdict.status === 'duplicate',
    [`${name}: sequence is the one of the first time`]: (verdict) => verdict.sequence === made.place,
    [`${name}: event_id is the one that was sent`]: (verdict) => verdict.event_id === made.event.event_id,
  });
}

// get requests one object and runs further checks on it.
export function get(path, name, checks = {}) {
  const { status, document } = request('GET', path, null, name, 200, config.readKey);
  check(document, { [`${name}: status is 200`]: () => status === 200, ...named(name, checks) });
  return document;
}

// list follows the cursors of a list, at most config.pages pages of it, and runs further
// checks on all items. complete says whether the last page was reached.
export function list(path, parameters, member, name, checks) {
  const items = [];
  let cursor = null;
  let good = true;
  let pages = 0;
  do {
    const query = { ...parameters, limit: config.page };
    if (cursor !== null) {
      query.cursor = cursor;
    }
    const { status, document } = request('GET', `${path}?${encoded(query)}`, null, name, 200, config.readKey);
    const page = document[member];
    good = check(document, {
      [`${name}: status is 200`]: () => status === 200,
      [`${name}: a page has ${member}, no more than asked for`]: () => Array.isArray(page) && page.length <= config.page,
      [`${name}: a page that another follows is full`]: (d) =>
        d.next_cursor === null || (typeof d.next_cursor === 'string' && Array.isArray(page) && page.length === config.page),
    });
    if (good) {
      items.push(...page);
      cursor = document.next_cursor;
    }
    pages += 1;
  } while (good && cursor !== null && pages < config.pages);
  check({ items, complete: good && cursor === null }, named(name, checks));
}

function encoded(query) {
  return Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
}

function named(name, checks) {
  return Object.fromEntries(Object.entries(checks).map(([what, holds]) => [`${name}: ${what}`, holds]));
}
