// Events like those of a shop's applications: visitors look at pages, scroll, click, and
// sometimes fill in a form. Nothing is imported, so that ids need no module that a version of
// k6 may lack.

function hex(number, digits) {
  return number.toString(16).padStart(digits, '0');
}

function random(below) {
  return Math.floor(Math.random() * below);
}

function pick(list) {
  return list[random(list.length)];
}

// uuidv7 makes an id by RFC 9562: 48 bits of time, then 74 random bits.
export function uuidv7(milliseconds) {
  const time = hex(milliseconds, 12);
  const a = hex(0x7000 + random(0x1000), 4);
  const b = hex(0x8000 + random(0x4000), 4);
  const c = hex(random(0x1000000), 6) + hex(random(0x1000000), 6);
  return `${time.slice(0, 8)}-${time.slice(8)}-${a}-${b}-${c}`;
}

export const pageInteraction = 'page interaction';
const formInteraction = 'form interaction';

const host = 'www.example.com';
const paths = ['/', '/pricing', '/products/lamp', '/products/chair', '/blog/eyes', '/about', '/contact'];
const referrers = ['https://search.example.org/', 'https://news.example.net/a?b=c', ''];
const elements = ['chat bubble', 'add to basket', 'menu', 'newsletter', 'langue: français'];
const names = ['Ada', 'José', 'Zoë', '美咲', 'Oluwaseun'];

// pageSteps returns the steps of a visitor on one page.
function pageSteps() {
  const path = pick(paths);
  const steps = [
    { category: pageInteraction, name: 'pageview', data: { host, path, referrer: pick(referrers), width: pick([390, 1280, 1920]) } },
  ];
  for (let depth = 0.25; depth <= 1 && Math.random() < 0.5; depth += 0.25) {
    steps.push({ category: pageInteraction, name: 'scroll', data: { host, path, to: depth } });
  }
  if (Math.random() < 0.4) {
    const at = { x: random(1280), y: random(4000) };
    steps.push({ category: pageInteraction, name: 'cta click', data: { host, path, element: pick(elements), at } });
  }
  if (Math.random() < 0.2) {
    const form = { first_name: pick(names), newsletter: Math.random() < 0.5, fields: ['first_name', 'newsletter'] };
    steps.push({ category: formInteraction, name: 'focus', data: { host, path, field: 'first_name' } });
    steps.push({ category: formInteraction, name: 'submit', data: { host, path, form } });
  }
  return steps;
}

// Visit is a session of one to five pages. It counts the events that it returned; the count
// is the sequence of each event as long as all of them are stored.
export class Visit {
  constructor(startedAt) {
    this.id = uuidv7(startedAt);
    this.steps = [];
    for (let pages = 1 + random(5); pages > 0; pages--) {
      this.steps.push(...pageSteps());
    }
    this.given = 0;
  }

  over() {
    return this.given >= this.steps.length;
  }

  // abandon ends the visit: after a failed request, the stored events, and so the next
  // sequence, are unknown.
  abandon() {
    this.given = this.steps.length;
  }

  // next makes the visit's next event. place is its expected sequence.
  next(at) {
    const { category, name, data } = this.steps[this.given];
    this.given += 1;
    const timestamp = new Date(at).toISOString();
    const event = { event_id: uuidv7(at), session_id: this.id, category, name, data, timestamp };
    return { visit: this, place: this.given, event };
  }
}

// Visitors are some concurrent visits. A visit that is over is replaced by a new one.
export class Visitors {
  constructor(size) {
    this.size = size;
    this.visits = [];
  }

  next(at) {
    this.visits = this.visits.filter((visit) => !visit.over());
    while (this.visits.length < this.size) {
      this.visits.push(new Visit(at));
    }
    return pick(this.visits).next(at);
  }

  // batch makes events that are a millisecond apart and end at `at`.
  batch(count, at) {
    const made = [];
    for (let i = count - 1; i >= 0; i--) {
      made.push(this.next(at - i));
    }
    return made;
  }
}

// pastVisit makes all events of a visit that began at a time, some seconds apart.
export function pastVisit(startedAt) {
  const visit = new Visit(startedAt);
  const made = [];
  for (let at = startedAt; !visit.over(); at += 1000 + random(9000)) {
    made.push(visit.next(at));
  }
  return made;
}
