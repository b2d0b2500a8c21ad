import type { Event, Row, Verdict } from '../src/event.js'
import { createQueue } from '../src/queue.js'
import type { Failure, QueueOptions } from '../src/queue.js'
import type { Store } from '../src/store.js'

/**
 * A store as IndexedDB is one: a transaction at a time, copies in and out, all or nothing. A new
 * one is a new browser, with an empty localStorage.
 */
export class FakeStore {
  rows = new Map<string, string>()
  local: Record<string, string> = {}
  /** Refuses what a transaction wants to write, after it has read. */
  full = false
  private last: Promise<unknown> = Promise.resolve()

  constructor() {
    Object.assign(globalThis, { localStorage: this.local })
  }

  store: Store = (edit) => {
    const work = this.last.then(() => {
      const rows = new Map(this.rows)
      const read = [...rows.keys()].sort().map((id) => JSON.parse(rows.get(id)!) as Row)

      edit(read, {
        put: (row) => rows.set(row.id, JSON.stringify(row)),
        delete: (id) => rows.delete(id),
      })
      if (this.full) throw new DOMException('full', 'QuotaExceededError')

      this.rows = rows

      return true
    })
    this.last = work.catch(() => undefined)

    return work
  }

  /** The events in the store. */
  get events(): Event[] {
    return [...this.rows.values()].map((row) => (JSON.parse(row) as Row).event)
  }
}

/** What the service does with a request. */
export type Answer = (events: Event[], body: string, keepalive: boolean) => Response | Promise<Response>

/** An answer as the service gives it. Without a date it is that of the client. */
export const answer = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), { status, headers: { date: new Date().toUTCString(), ...headers } })

/** Verdicts on a batch, as the service gives them. */
export const verdicts = (events: Event[], of: (event: Event) => Partial<Verdict>, date = Date.now()) =>
  answer(207, { results: events.map((event) => ({ event_id: event.event_id, ...of(event) })) }, {
    date: new Date(date).toUTCString(),
  })

/** Stores everything. */
export const storeAll: Answer = (events) => verdicts(events, () => ({ status: 'stored', sequence: 1 }))

/** A queue with a service that the test plays. */
export const start = (options: QueueOptions & { maxBytes?: number } = {}, store = new FakeStore()) => {
  const told: { verdicts: [Event, Verdict][]; failures: Failure[] } = { verdicts: [], failures: [] }
  const bodies: string[] = []
  const service = { answer: storeAll }
  let last = Promise.resolve()

  const queue = createQueue(
    {
      onVerdict: (event, verdict) => told.verdicts.push([event, verdict]),
      onError: (failure) => told.failures.push(failure),
      ...options,
    },
    store.store,
    async (body, keepalive) => {
      bodies.push(body)

      return service.answer(JSON.parse(body), body, keepalive)
    },
    (work) => (last = last.then(work)),
    false,
    undefined,
    options.maxBytes,
    (work, milliseconds) => setTimeout(work, milliseconds).unref(), // no test waits for it
  )
  queue.consent('pending')

  /** The events of each request. */
  const requests = () => bodies.map((body) => JSON.parse(body) as Event[])

  return { queue, store, service, told, bodies, requests }
}

/** The same, with consent. */
export const granted = (...args: Parameters<typeof start>) => {
  const started = start(...args)
  started.queue.consent('granted')

  return started
}

/** Lets everything go on that waits for nothing but itself. */
export const settled = () => new Promise<void>((done) => setImmediate(done))
