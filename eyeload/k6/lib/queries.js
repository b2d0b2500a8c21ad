// The queries of analysts, and the right answers. The queried events are stored first, in a
// period of their own, so that the right answer is known while other events arrive.

import { config } from './config.js';
import { pageInteraction, pastVisit } from './events.js';
import { get, list, sendBatch } from './api.js';
import { arrivals } from './options.js';

const hour = 3600 * 1000;

// seed stores config.sessions sessions that began between two hours and one hour ago. Its
// result is copied to every virtual user, so it is small.
export function seed() {
  const end = Date.now() - hour;
  const begin = end - hour;
  const made = [];
  const sessions = [];
  for (let i = 0; i < config.sessions; i++) {
    const visit = pastVisit(begin + Math.floor((i * hour) / (2 * config.sessions)));
    made.push(...visit);
    sessions.push({ id: visit[0].event.session_id, events: visit.map((m) => m.event.event_id) });
  }
  for (let i = 0; i < made.length; i += config.batch) {
    if (!sendBatch(made.slice(i, i + config.batch), 'seed')) {
      throw new Error('the events for the queries could not be stored');
    }
  }
  return { sessions, from: new Date(begin).toISOString(), to: new Date(end).toISOString() };
}

function pick(items) {
  return items[Math.floor(Math.random() * items.length)];
}

// ascending returns whether times and then sequences go up. RFC 3339 in UTC with a fixed
// number of digits sorts as text.
function ascending(events) {
  return events.every((event, i) => i === 0 || events[i - 1].timestamp < event.timestamp ||
    (events[i - 1].timestamp === event.timestamp && events[i - 1].sequence < event.sequence));
}

function unique(items, id) {
  return new Set(items.map((item) => item[id])).size === items.length;
}

// within returns whether a time is in the range of the seed: from is inclusive, to is
// exclusive.
function within(data, time) {
  const at = Date.parse(time);
  return at >= Date.parse(data.from) && at < Date.parse(data.to);
}

// timelines requests all events of one session, in their order.
export function timelines(data) {
  const { id, events } = pick(data.sessions);
  list(`/v1/sessions/${id}/events`, {}, 'events', 'timeline', {
    'every event of the session, in its order': ({ items, complete }) =>
      complete ? items.map((e) => e.event_id).join() === events.join() : events.join().startsWith(items.map((e) => e.event_id).join()),
    'sequences are 1, 2, 3, ...': ({ items }) => items.every((e, i) => e.sequence === i + 1),
    'timestamps go up': ({ items }) => ascending(items),
  });
}

// pages requests a category within a range of time, newest first, page by page.
export function pages(data) {
  const parameters = { category: pageInteraction, from: data.from, to: data.to, order: 'desc' };
  list('/v1/events', parameters, 'events', 'pages', {
    'there are events': ({ items }) => items.length > 0,
    'every event is of the category': ({ items }) => items.every((e) => e.category === pageInteraction),
    'every event is within the range': ({ items }) => items.every((e) => within(data, e.timestamp)),
    'no event comes twice': ({ items }) => unique(items, 'event_id'),
    'timestamps go down': ({ items }) => items.every((e, i) => i === 0 || items[i - 1].timestamp >= e.timestamp),
  });
}

// sessions requests the sessions that began within a range of time, and one of them.
export function sessions(data) {
  list('/v1/sessions', { from: data.from, to: data.to }, 'sessions', 'sessions', {
    'there are sessions': ({ items }) => items.length > 0,
    'every session began within the range': ({ items }) => items.every((s) => within(data, s.started_at)),
    'no session comes twice': ({ items }) => unique(items, 'session_id'),
    'all of them are found': ({ items, complete }) =>
      !complete || data.sessions.every(({ id }) => items.some((s) => s.session_id === id)),
  });
  const { id, events } = pick(data.sessions);
  get(`/v1/sessions/${id}`, 'session', {
    'it is the one that was asked for': (session) => session.session_id === id,
    'it has as many events as were sent': (session) => session.event_count === events.length,
  });
}

// byId requests one event.
export function byId(data) {
  const { id, events } = pick(data.sessions);
  const place = Math.floor(Math.random() * events.length);
  get(`/v1/events/${events[place]}`, 'event', {
    'it is the one that was asked for': (event) => event.event_id === events[place] && event.session_id === id,
    'it has the sequence it was stored with': (event) => event.sequence === place + 1,
  });
}

// queryScenarios returns the scenarios of all queries; a script exports the functions with
// these names.
export function queryScenarios({ duration }) {
  const scenario = (exec) => arrivals(exec, { rate: config.queryRate, duration, vus: config.queryVUs });
  return {
    timelines: scenario('timelines'),
    pages: scenario('pages'),
    sessions: scenario('sessions'),
    by_id: scenario('byId'),
  };
}

// bounds has a bound for each name that the queries are tagged with.
export const bounds = {
  timeline: config.queryP99,
  pages: config.queryP99,
  sessions: config.queryP99,
  session: config.queryP99,
  event: config.queryP99,
};
