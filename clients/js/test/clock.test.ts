import assert from 'node:assert/strict'
import { beforeEach, mock, test } from 'node:test'
import type { Event, Verdict } from '../src/event.js'
import { answer, FakeStore, granted, settled, verdicts } from './fakes.js'
import type { Answer } from './fakes.js'

const NOON = Date.UTC(2026, 5, 1, 12)
const MINUTE = 60_000
const HOUR = 60 * MINUTE

beforeEach(() => {
  mock.timers.reset()
  mock.timers.enable({ apis: ['Date', 'setTimeout'], now: NOON })
})

/** A service whose clock is behind that of the client, and which allows 5 s. */
const behind =
  (milliseconds: number): Answer =>
  (events) => {
    const now = Date.now() - milliseconds
    const verdict = (event: Event): Partial<Verdict> =>
      Date.parse(event.timestamp) > now + 5e3
        ? { status: 'rejected', errors: [{ code: 'timestamp_in_future' }] }
        : { status: 'stored' }

    return verdicts(events, verdict, now)
  }

const times = (requests: Event[][]) => requests.map((events) => events.map((event) => Date.parse(event.timestamp)))

test('a clock that is ahead is learnt by the first refusal, and its times are corrected', async () => {
  const { queue, service, requests, told } = granted()
  service.answer = behind(10 * MINUTE)

  queue.track('test', 'first')
  mock.timers.setTime(NOON + 2e3)
  queue.track('test', 'second')
  await queue.flush()
  queue.track('test', 'third')
  await queue.flush()

  const server = NOON + 2e3 - 10 * MINUTE
  assert.deepEqual(times(requests()), [[NOON, NOON + 2e3], [server - 2e3, server], [server]])
  assert.deepEqual(told.verdicts.map(([, verdict]) => verdict.status), ['stored', 'stored', 'stored'])
})

test('what was learnt about the clock is kept for the next page', async () => {
  const first = granted()
  first.service.answer = behind(10 * MINUTE)
  first.queue.track('test', 'first')
  await first.queue.flush()

  const second = granted({}, first.store)
  second.service.answer = behind(10 * MINUTE)
  second.queue.track('test', 'second')
  await second.queue.flush()

  assert.deepEqual(times(second.requests()), [[NOON - 10 * MINUTE]])
})

for (const [words, milliseconds] of [
  ['behind', -10 * MINUTE],
  ['ahead by less than what Date can tell', 900],
] as const)
  test(`a clock that is ${words} is left alone`, async () => {
    const { queue, service, requests } = granted()
    service.answer = behind(milliseconds)
    queue.track('test', 'first')
    await queue.flush()
    queue.track('test', 'second')
    await queue.flush()

    assert.deepEqual(times(requests()), [[NOON], [NOON]])
  })

test('an event that was sent once is sent again as it was, also when the clock was learnt since', async () => {
  const { queue, service, bodies } = granted()
  service.answer = () => Promise.reject(new TypeError('the answer was lost'))
  queue.track('test', 'lost')
  await queue.flush()

  service.answer = () => answer(503, {}, { date: new Date(NOON - 3e3).toUTCString() })
  await queue.flush()
  service.answer = behind(3e3)
  await queue.flush()

  assert.equal(bodies.length, 3)
  assert.equal(bodies[1], bodies[0])
  assert.equal(bodies[2], bodies[0])
})

test('a time that is refused after it was corrected is final', async () => {
  const { queue, service, bodies, told } = granted()
  service.answer = (events) => verdicts(events, () => ({ status: 'rejected', errors: [{ code: 'timestamp_in_future' }] }), NOON - HOUR)
  queue.track('test', 'never')
  await queue.flush()

  assert.equal(bodies.length, 2)
  assert.equal(told.verdicts.length, 1)
  assert.equal(queue.stats().rejected, 1)
})

test('a session is one in all tabs, until 30 minutes without an event or 24 hours', async () => {
  const store = new FakeStore()
  const [one, two] = [granted({}, store), granted({}, store)]
  const sessions: string[] = []
  const visit = async (tab: typeof one) => {
    tab.queue.track('page', 'view')
    await tab.queue.flush()
    sessions.push(tab.queue.session()!)
    assert.equal(tab.requests().at(-1)!.at(-1)!.session_id, tab.queue.session())
  }

  await visit(one)
  await visit(two)
  assert.equal(sessions[1], sessions[0])

  mock.timers.setTime(NOON + 29 * MINUTE)
  await visit(two)
  mock.timers.setTime(NOON + 58 * MINUTE)
  await visit(one)
  assert.equal(sessions[3], sessions[0])

  mock.timers.setTime(NOON + 89 * MINUTE)
  assert.equal(one.queue.session(), undefined)
  await visit(one)
  assert.notEqual(sessions[4], sessions[0])

  for (let minutes = 20; minutes <= 25 * 60; minutes += 20) {
    mock.timers.setTime(NOON + (89 + minutes) * MINUTE)
    await visit(minutes % 40 ? one : two)
  }
  const lasted = sessions.slice(4).filter((session) => session === sessions[4]).length
  assert.equal(lasted, (24 * 60) / 20)
  assert.equal(new Set(sessions.slice(4)).size, 2)
})

test('a page that is left at once is in the session of its visitor', async () => {
  const store = new FakeStore()
  const sessions = Array.from({ length: 5 }, () => {
    const { queue, requests } = granted({}, store)
    queue.track('page', 'view')
    queue.pagehide()

    return requests()[0][0].session_id
  })

  assert.equal(new Set(sessions).size, 1)
})

test('what is tracked while the store is busy is in the session of the page', async () => {
  const { queue, service, requests } = granted()
  const answers: (() => void)[] = []
  service.answer = async (events) => {
    await new Promise<void>((done) => answers.push(done))

    return verdicts(events, () => ({ status: 'stored' }))
  }

  let flushed = false
  for (let index = 0; index < 10; index++) {
    await Promise.resolve()
    queue.track('test', 'busy')
  }
  void queue.flush().then(() => (flushed = true))
  while (!flushed) {
    await settled()
    answers.splice(0).forEach((answer) => answer())
  }

  assert.equal(requests().flat().length, 10)
  assert.equal(new Set(requests().flat().map((event) => event.session_id)).size, 1)
})

test('without localStorage a session lasts as long as its page', async () => {
  const { queue, requests } = granted()
  Object.assign(globalThis, { localStorage: undefined })
  for (let index = 0; index < 3; index++) {
    queue.track('page', 'view')
    await queue.flush()
  }

  assert.equal(new Set(requests().flat().map((event) => event.session_id)).size, 1)
})

test('a session ends when the clock was set back by more than 30 minutes', async () => {
  const { queue } = granted()
  queue.track('page', 'view')
  await queue.flush()
  const before = queue.session()

  mock.timers.setTime(NOON - 365 * 24 * HOUR)
  queue.track('page', 'view')
  await queue.flush()
  assert.notEqual(queue.session(), before)
})

test('no request is made before Retry-After, by timers, by flush, at pagehide or on the next page', async () => {
  const { queue, store, service, bodies } = granted()
  service.answer = () => answer(503, { code: 'unavailable' }, { 'retry-after': '30' })
  queue.track('test', 'waits')
  await queue.flush()
  assert.equal(bodies.length, 1)

  mock.timers.tick(29_900)
  await settled()
  await queue.flush()
  queue.pagehide()
  const next = granted({}, store)
  await next.queue.flush()
  assert.equal(bodies.length + next.bodies.length, 1)

  mock.timers.tick(200)
  await queue.flush()
  assert.equal(bodies.length, 2)
})

test('a Retry-After of days is waited for, and not taken for none', async () => {
  const { queue, service, bodies } = granted()
  service.answer = () => answer(503, {}, { 'retry-after': String(2 * 24 * 3600) })
  queue.track('test', 'waits')
  await queue.flush()
  await queue.flush()
  assert.equal(bodies.length, 1)

  mock.timers.setTime(NOON + 49 * HOUR)
  await queue.flush()
  assert.equal(bodies.length, 2)
})

test('a clock that was put back does not prolong Retry-After', async () => {
  const { queue, service, bodies } = granted()
  service.answer = () => answer(503, {}, { 'retry-after': '30' })
  queue.track('test', 'waits')
  await queue.flush()

  mock.timers.setTime(NOON - 24 * HOUR)
  await queue.flush()
  assert.equal(bodies.length, 2)
})

test('after Retry-After the timer tries again, within its jitter', async () => {
  mock.method(Math, 'random', () => 0.999)
  const { queue, service, bodies } = granted()
  service.answer = () => answer(429, {}, { 'retry-after': '2' })
  queue.track('test', 'waits')
  await queue.flush()

  mock.timers.tick(2_100)
  await settled()
  assert.equal(bodies.length, 1)
  mock.timers.tick(2_000)
  await settled()
  assert.equal(bodies.length, 2)
  mock.restoreAll()
})

test('attempts get rarer, up to one in five minutes, and an event of the page does not hurry them', async () => {
  mock.method(Math, 'random', () => 0.999)
  const { queue, service, bodies } = granted()
  service.answer = () => Promise.reject(new TypeError('no network'))
  queue.track('test', 'first')
  await queue.flush()

  const gaps: number[] = []
  for (let last = Date.now(), count = bodies.length; gaps.length < 10; ) {
    mock.timers.tick(1e3)
    await settled()
    if (gaps.length < 3) queue.track('test', 'more')
    if (bodies.length === count) continue

    gaps.push(Math.round((Date.now() - last) / 1e3))
    last = Date.now()
    count = bodies.length
  }

  const wanted = [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
  gaps.forEach((gap, index) => assert.ok(Math.abs(gap - wanted[index]) <= 2, `${gaps}`))
  mock.restoreAll()
})

test('flush tries at once where only the client chose to wait', async () => {
  mock.method(Math, 'random', () => 0.999)
  const { queue, service, bodies } = granted()
  service.answer = () => Promise.reject(new TypeError('no network'))
  queue.track('test', 'first')
  await queue.flush()
  await queue.flush()
  assert.equal(bodies.length, 2)
  mock.restoreAll()
})
