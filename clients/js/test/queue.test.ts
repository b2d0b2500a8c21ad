import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Event } from '../src/event.js'
import { answer, FakeStore, granted, settled, start, storeAll, verdicts } from './fakes.js'

test('an event stays until its verdict, and leaves with it', async () => {
  const { queue, store, service, told } = granted()
  service.answer = () => Promise.reject(new TypeError('no network'))

  const id = queue.track('cart', 'added', { sku: 7 })
  await queue.flush()
  assert.deepEqual(store.events.map((event) => event.event_id), [id])
  assert.equal(queue.stats().queued, 1)
  assert.deepEqual(told.failures, [{ status: 0, code: undefined }])

  service.answer = storeAll
  await queue.flush()
  assert.deepEqual(store.events, [])
  assert.equal(queue.stats().queued, 0)
  assert.equal(queue.stats().stored, 1)

  const [[event, verdict]] = told.verdicts
  assert.equal(told.verdicts.length, 1)
  assert.deepEqual(event.data, { sku: 7 })
  assert.equal(event.category, 'cart')
  assert.equal(event.name, 'added')
  assert.deepEqual(verdict, { event_id: id, status: 'stored', sequence: 1 })
})

test('each verdict is final and is counted', async () => {
  const { queue, service, told } = granted()
  service.answer = (events) => verdicts(events, (event) => ({ status: event.name as 'stored' }))

  for (const status of ['stored', 'duplicate', 'rejected', 'conflict']) queue.track('test', status)
  await queue.flush()

  const { stored, duplicate, rejected, conflict, queued } = queue.stats()
  assert.deepEqual([stored, duplicate, rejected, conflict, queued], [1, 1, 1, 1, 0])
  assert.deepEqual(told.verdicts.map(([event, verdict]) => [event.name, verdict.status]), [
    ['stored', 'stored'],
    ['duplicate', 'duplicate'],
    ['rejected', 'rejected'],
    ['conflict', 'conflict'],
  ])
})

test('what is queued is sent by the next page, and its verdict is told once, there', async () => {
  const first = granted()
  first.service.answer = () => Promise.reject(new TypeError('no network'))
  const id = first.queue.track('page', 'left')
  await first.queue.flush()

  const second = granted({}, first.store)
  await second.queue.flush()

  assert.deepEqual(second.told.verdicts.map(([event]) => event.event_id), [id])
  assert.deepEqual(first.told.verdicts, [])
  assert.equal(second.queue.stats().queued, 0)
})

test('two answers for one event tell its verdict once', async () => {
  const store = new FakeStore()
  const tabs = [granted({}, store), granted({}, store)]
  await Promise.all(tabs.map((tab) => tab.queue.flush()))
  tabs[0].queue.track('test', 'twice')
  await settled()

  await Promise.all(tabs.map((tab) => tab.queue.flush()))

  assert.equal(tabs[0].bodies.length + tabs[1].bodies.length, 2)
  assert.equal(tabs[0].told.verdicts.length + tabs[1].told.verdicts.length, 1)
  assert.deepEqual(store.events, [])
})

test('events of one go are one transaction and one request, in their order', async () => {
  const { queue, requests } = granted()
  await queue.flush()

  const names = Array.from({ length: 100 }, (_, index) => `n${index}`)
  names.forEach((name) => queue.track('test', name))
  await queue.flush()

  assert.deepEqual(requests().map((events) => events.map((event) => event.name)), [names])
})

test('a body has at most 60 kB, in bytes and not in characters', async () => {
  const { queue, bodies, requests } = granted()
  for (let index = 0; index < 300; index++) queue.track('test', 'pad', { text: '€'.repeat(200) })
  await queue.flush()

  assert.equal(requests().flat().length, 300)
  for (const body of bodies) assert.ok(Buffer.byteLength(body) <= 60_000, `${Buffer.byteLength(body)} bytes`)
  assert.ok(bodies.length <= 5, `${bodies.length} requests`)
})

test('what cannot be queued is refused and counted by its reason', () => {
  const { queue } = granted({ maxQueue: 2 })
  const circle: Record<string, unknown> = {}
  circle.self = circle

  assert.equal(queue.track('test', 'circle', circle), undefined)
  assert.equal(queue.track('test', 'large', { text: 'x'.repeat(60_000) }), undefined)
  assert.ok(queue.track('test', 'one'))
  assert.ok(queue.track('test', 'two'))
  assert.equal(queue.track('test', 'three'), undefined)

  assert.deepEqual(queue.stats().dropped, { invalid: 1, too_large: 1, full: 1 })
  assert.equal(queue.stats().queued, 2)
})

test('the queue is bounded in bytes', () => {
  const { queue } = granted({ maxBytes: 10_000 })
  const kept = Array.from({ length: 20 }, () => queue.track('test', 'kilo', { text: 'x'.repeat(1_000) })).filter(Boolean)

  assert.ok(kept.length >= 7 && kept.length <= 9, `${kept.length} events`)
  assert.equal(queue.stats().dropped.full, 20 - kept.length)
})

test('a change of data after track is not sent', async () => {
  const { queue, requests } = granted()
  const data = { step: 1 }
  queue.track('test', 'data', data)
  data.step = 2
  await queue.flush()

  assert.deepEqual(requests().flat()[0].data, { step: 1 })
})

test('a function of the page that throws stops nothing', async () => {
  const thrown: unknown[] = []
  const others = process.rawListeners('uncaughtException') as NodeJS.UncaughtExceptionListener[]
  process.removeAllListeners('uncaughtException').on('uncaughtException', (error) => thrown.push(error))

  const { queue } = granted({
    onVerdict() {
      throw new Error('of the page')
    },
  })
  queue.track('test', 'one')
  queue.track('test', 'two')
  await queue.flush()
  await settled()
  process.removeAllListeners('uncaughtException')
  others.forEach((listener) => process.on('uncaughtException', listener))

  assert.equal(queue.stats().stored, 2)
  assert.equal(thrown.length, 2)
})

test('an answer of somebody else is none', async () => {
  const { queue, service, told } = granted()
  queue.track('test', 'proxy')

  for (const body of ['<html>', 'null', '[]', '{"results": []}']) {
    service.answer = () => new Response(body, { status: 200 })
    await queue.flush()
    assert.equal(queue.stats().queued, 1, body)
  }

  service.answer = storeAll
  await queue.flush()
  assert.equal(told.verdicts.length, 1)
})

test('a refusal of the key is told with its status and code', async () => {
  const { queue, service, told } = granted()
  service.answer = () => answer(403, { code: 'origin_not_allowed' })
  queue.track('test', 'refused')
  await queue.flush()

  assert.deepEqual(told.failures, [{ status: 403, code: 'origin_not_allowed' }])
  assert.equal(queue.stats().queued, 1)
})

test('a body that is too large for the service is sent in parts', async () => {
  const { queue, service, told } = granted()
  service.answer = (events, body) => (body.length > 20_000 ? answer(413, { code: 'too_large' }) : storeAll(events, body, false))
  for (let index = 0; index < 100; index++) queue.track('test', 'pad', { text: 'x'.repeat(400) })

  for (let attempt = 0; queue.stats().queued && attempt < 5; attempt++) await queue.flush()
  assert.equal(told.verdicts.length, 100)
})

test('without consent nothing is stored or sent, and events wait in memory', async () => {
  const { queue, store, bodies } = start()
  const id = queue.track('page', 'view')
  await queue.flush()
  queue.pagehide()

  assert.equal(store.rows.size, 0)
  assert.deepEqual(store.local, {})
  assert.deepEqual(bodies, [])
  assert.equal(queue.session(), undefined)
  assert.equal(queue.stats().unsaved, 1)

  queue.consent('granted')
  await queue.flush()
  assert.deepEqual((JSON.parse(bodies[0]) as Event[]).map((event) => event.event_id), [id])
})

test('denied consent drops events, erases what is stored, and takes no more', async () => {
  const deleted: string[] = []
  Object.assign(globalThis, { indexedDB: { deleteDatabase: (name: string) => deleted.push(name) } })
  const before = granted()
  before.queue.track('page', 'view')
  await before.queue.flush()
  assert.ok(before.store.local.theeye)

  const { queue, store, bodies } = start({}, before.store)
  queue.track('page', 'view')
  queue.consent('denied')
  assert.equal(queue.track('page', 'view'), undefined)
  assert.deepEqual(store.local, {})
  queue.consent('granted')
  await queue.flush()

  assert.deepEqual(bodies, [])
  assert.deepEqual(deleted, ['theeye'])
  assert.equal(queue.session(), undefined)
  assert.deepEqual(queue.stats().dropped, { consent: 2 })
})

test('what the page knows is sent at pagehide at once, without waiting for the store', () => {
  const { queue, bodies } = granted()
  const id = queue.track('page', 'left')
  queue.pagehide()

  const [[event]] = bodies.map((body) => JSON.parse(body) as Event[])
  assert.equal(event.event_id, id)
  assert.match(event.session_id, /^[0-9a-f-]{36}$/)
})

test('the event that pagehide sent is the one that is stored', async () => {
  const { queue, store, service, bodies } = granted()
  service.answer = () => new Promise(() => undefined)
  queue.track('page', 'left')
  queue.pagehide()
  await settled()

  assert.deepEqual(store.events, JSON.parse(bodies[0]))
})

test('requests that outlive the page have 60 kB together, and are at most nine', async () => {
  const { queue, service } = granted()
  const kept: number[] = []
  service.answer = (_, body, keepalive) => {
    if (keepalive) kept.push(body.length)

    return new Promise(() => undefined)
  }

  for (let index = 0; index < 20; index++) {
    queue.track('page', 'hidden')
    queue.pagehide()
  }
  assert.equal(kept.length, 9)

  const large = granted()
  large.service.answer = service.answer
  kept.length = 0
  for (let index = 0; index < 20; index++) {
    large.queue.track('page', 'hidden', { text: 'x'.repeat(20_000) })
    large.queue.pagehide()
  }
  assert.ok(kept.reduce((sum, size) => sum + size, 0) <= 60_000)
  assert.equal(kept.length, 2)
})

test('a store that refuses to write costs durability, and no event', async () => {
  const { queue, store, bodies, told } = granted()
  await queue.flush()
  store.full = true

  const id = queue.track('test', 'memory')
  await settled()
  assert.equal(queue.stats().unsaved, 1)

  await queue.flush()
  assert.equal(bodies.length, 1)
  assert.deepEqual(told.verdicts.map(([event]) => event.event_id), [id])
  assert.equal(queue.stats().queued, 0)
})

test('an event that cannot be taken out of the store is not sent in a loop, and not told', async () => {
  const { queue, store, service, bodies, told } = granted()
  service.answer = () => Promise.reject(new TypeError('no network'))
  queue.track('test', 'stuck')
  await queue.flush()
  bodies.length = 0

  store.full = true
  service.answer = storeAll
  await queue.flush()
  assert.equal(bodies.length, 1)
  assert.deepEqual(told.verdicts, [])

  store.full = false
  await queue.flush()
  assert.equal(told.verdicts.length, 1)
})
