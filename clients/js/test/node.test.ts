import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Event } from '../src/event.js'
import { init } from '../src/node.js'
import type { Client, Options } from '../src/node.js'

const SESSION = '018f0000-0000-7000-8000-000000000000'
const child = (name: string) => fileURLToPath(new URL(`${name}.child.js`, import.meta.url))

/** A service that stores events by their id, and says how often it was given each. */
const serve = async (t: TestContext) => {
  const service = {
    url: '',
    up: true,
    requests: [] as IncomingMessage[],
    stored: new Map<string, { event: Event; times: number }>(),
  }

  const server = createServer(async (request, response) => {
    const body: Buffer[] = []
    for await (const part of request) body.push(part)
    service.requests.push(request)

    if (!service.up) {
      response.writeHead(503).end('{"code":"unavailable"}')

      return
    }

    const results = (JSON.parse(Buffer.concat(body).toString()) as Event[]).map((event) => {
      const times = (service.stored.get(event.event_id)?.times ?? 0) + 1
      service.stored.set(event.event_id, { event, times })

      return { event_id: event.event_id, status: times > 1 ? 'duplicate' : 'stored' }
    })
    response.writeHead(201).end(JSON.stringify({ results }))
  })

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  service.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })

  return service
}

const folder = (t: TestContext) => {
  const path = mkdtempSync(join(tmpdir(), 'theeye-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))

  return join(path, 'spool')
}

const start = (t: TestContext, options: Options): Client => {
  const client = init(options)
  t.after(() => client.close(0))

  return client
}

test('a key of a service is a header of /v1/events, a public one a parameter of /v1/collect', async (t) => {
  const service = await serve(t)

  for (const key of ['eye_abc', 'eyp_abc']) {
    const client = start(t, { url: service.url + '/', key })
    client.track(SESSION, 'test', key, { answer: 42 })
    await client.flush()
    assert.equal(client.stats().stored, 1)
  }

  const [secret, open] = service.requests
  assert.equal(secret.url, '/v1/events')
  assert.equal(secret.headers.authorization, 'Bearer eye_abc')
  assert.equal(open.url, '/v1/collect?key=eyp_abc')
  assert.equal(open.headers.authorization, undefined)

  const [{ event }] = service.stored.values()
  assert.equal(event.session_id, SESSION)
  assert.deepEqual(event.data, { answer: 42 })
})

test('close sends what is queued, takes no more, and says what is left', async (t) => {
  const service = await serve(t)
  const client = start(t, { url: service.url, key: 'eye_abc' })
  for (let index = 0; index < 1_000; index++) client.track(SESSION, 'test', 'queued', { index })

  assert.equal(await client.close(), 0)
  assert.equal(service.stored.size, 1_000)
  assert.equal(client.track(SESSION, 'test', 'late'), undefined)
  assert.deepEqual(client.stats().dropped, { closed: 1 })

  service.up = false
  const stuck = start(t, { url: service.url, key: 'eye_abc' })
  stuck.track(SESSION, 'test', 'stuck')
  assert.equal(await stuck.close(50), 1)
})

test('a spool keeps events for the next client', async (t) => {
  const service = await serve(t)
  const spool = folder(t)
  service.up = false
  const first = start(t, { url: service.url, key: 'eye_abc', spool })
  const ids = Array.from({ length: 50 }, () => first.track(SESSION, 'test', 'kept'))
  assert.equal(await first.close(0), 50)

  service.up = true
  const second = start(t, { url: service.url, key: 'eye_abc', spool })
  await second.flush()
  // The last request of the first client may have come in when the service was up again.
  assert.equal(second.stats().stored + second.stats().duplicate, 50)
  assert.deepEqual([...service.stored.keys()].sort(), ids.sort())
})

test('a spool is of one client at a time, and free when its process has ended', async (t) => {
  const spool = folder(t)
  const options = { url: 'http://127.0.0.1:9', key: 'eye_abc', spool }
  const first = start(t, options)
  assert.throws(() => init(options), /in use by process/)
  await first.close(0)

  const second = start(t, options)
  await second.close(0)
  writeFileSync(join(spool, 'lock'), '999999999')
  start(t, options)
})

test('what a crash tore off a journal does not count, and what is before it does', async (t) => {
  const service = await serve(t)
  const spool = folder(t)
  const first = start(t, { url: 'http://127.0.0.1:9', key: 'eye_abc', spool })
  first.track(SESSION, 'test', 'whole')
  await first.close(0)
  appendFileSync(join(spool, 'queue.jsonl'), '[{"put":{"id":"018f0000-0000-7000-8000-00000000')

  const second = start(t, { url: service.url, key: 'eye_abc', spool })
  second.track(SESSION, 'test', 'after')
  await second.close()
  const third = start(t, { url: service.url, key: 'eye_abc', spool })
  await third.flush()

  assert.deepEqual([...service.stored.values()].map(({ event, times }) => [event.name, times]), [
    ['whole', 1],
    ['after', 1],
  ])
})

test('a journal does not grow with what was sent', async (t) => {
  const service = await serve(t)
  const spool = folder(t)
  const client = start(t, { url: service.url, key: 'eye_abc', spool })

  for (let round = 0; round < 40; round++) {
    for (let index = 0; index < 20; index++) client.track(SESSION, 'test', 'sent', { text: 'x'.repeat(20_000) })
    await client.flush()
  }
  assert.equal(service.stored.size, 800)
  assert.ok(statSync(join(spool, 'queue.jsonl')).size < 6 << 20)
})

test('a process that is killed loses no event that was in its spool, and none is stored twice', async (t) => {
  const service = await serve(t)
  const spool = folder(t)
  const printed: string[] = []

  for (let round = 0; round < 12; round++) {
    service.up = round % 3 !== 0
    const process = spawn(globalThis.process.execPath, [child('tracker'), service.url, spool], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })

    const ended = once(process, 'exit')
    const wanted = printed.length + 20 + round * 37
    for await (const id of createInterface(process.stdout!)) {
      if (id.length === 36) printed.push(id)
      if (printed.length === wanted) process.kill('SIGKILL')
    }
    await ended
  }

  service.up = true
  const last = start(t, { url: service.url, key: 'eye_abc', spool })
  assert.equal(await last.close(20_000), 0)

  const lost = printed.filter((id) => !service.stored.has(id))
  assert.deepEqual(lost, [])
  assert.ok(printed.length > 2_000)
})

test('a client does not hold its process open, also when the service is away', async () => {
  const process = spawn(globalThis.process.execPath, [child('idle'), 'http://127.0.0.1:9'])
  const [code] = await once(process, 'exit')

  assert.equal(code, 0)
})

test('an event of which only the service knows the fate is sent again as it was', async (t) => {
  const service = await serve(t)
  const spool = folder(t)
  const first = start(t, { url: service.url, key: 'eye_abc', spool })
  first.track(SESSION, 'test', 'once')
  await first.flush()
  const journal = readFileSync(join(spool, 'queue.jsonl'), 'utf8').split('\n')
  await first.close(0)

  // As if the process had been killed between the answer and its note in the journal.
  writeFileSync(join(spool, 'queue.jsonl'), journal.filter((line) => !line.includes('delete')).join('\n') + '\n')
  const second = start(t, { url: service.url, key: 'eye_abc', spool })
  await second.flush()

  assert.equal(second.stats().duplicate, 1)
  assert.equal(service.stored.size, 1)
})

test('an event without a session is refused and counted, and not of the session of others', async (t) => {
  const service = await serve(t)
  const client = init({ url: service.url, key: 'eye_key' })

  // What a browser without consent sends.
  for (const session of [undefined, null, '']) assert.equal(client.track(session as any, 'order', 'paid'), undefined)
  client.track(SESSION, 'order', 'paid')

  assert.equal(await client.close(), 0)
  assert.deepEqual(client.stats().dropped, { session: 3 })
  assert.deepEqual([...service.stored.values()].map(({ event }) => event.session_id), [SESSION])
})
