import { cut } from './event.js'
import type { Event, Row, Verdict } from './event.js'
import { NAME } from './idb.js'
import { current, finish } from './session.js'
import type { Head, Store, Writer } from './store.js'
import { uuid } from './uuid.js'

export type Consent = 'granted' | 'pending' | 'denied'

/** What became of the events of this page, and what was dropped, by the reason. */
export interface Stats {
  /** Events that have no verdict yet, those of other tabs included. */
  queued: number
  stored: number
  duplicate: number
  rejected: number
  /** Only a client with a secret key learns of conflicts; absent until there is one. */
  conflict?: number
  /** Those of the queued events that only the memory of this page has. */
  unsaved: number
  dropped: Record<string, number>
}

/** A request that brought no verdicts. */
export interface Failure {
  /** The status of HTTP, or 0 when no answer came. */
  status: number
  /** The code of the service, when it gave one. */
  code?: string
}

export interface QueueOptions {
  maxQueue?: number
  onVerdict?(event: Event, verdict: Verdict): void
  onError?(failure: Failure): void
}

const safely = (work: () => unknown) => {
  try {
    work()
  } catch {
    // the browser refuses, or has nothing
  }
}

/** The bytes of a body, and of all requests together that outlive a page: browsers allow 64 KiB. */
const BUDGET = 6e4

/**
 * A queue that keeps each event until its verdict.
 * @param send posts a body; with whether the request has to outlive the page.
 * @param alone runs what only one tab may do at a time.
 * @param denied whether consent is denied, whatever the page says.
 * @param queueName of the database and of what localStorage has.
 * @param later calls a function after some milliseconds, and returns what clearTimeout takes.
 */
export const createQueue = (
  options: QueueOptions,
  store: Store,
  send: (body: string, keepalive: boolean) => Promise<Response>,
  alone: (work: () => Promise<void>) => Promise<void>,
  denied?: boolean,
  queueName = NAME,
  maxBytes = 1e6,
  later: (work: () => unknown, milliseconds: number) => unknown = setTimeout,
) => {
  let held: Row[] = [] // the rows that have no verdict, as far as this tab knows
  const stats = { stored: 0, duplicate: 0, rejected: 0, dropped: {} as Record<string, number> }
  const head: Head = { ahead: 0, wait: 0 }
  let consent: Consent | undefined
  let limit = BUDGET
  let flying = 0 // bytes in requests that outlive the page
  let failures = 0
  let resume = 0
  let timer: any
  let saving: any
  let next: any

  const count = (counters: any, name: string) => {
    counters[name] = -~counters[name]
  }

  /** Changes the head as all tabs know it. */
  const remember = (edit: () => void) => {
    safely(() => Object.assign(head, JSON.parse(localStorage[queueName])))
    edit()
    safely(() => (localStorage[queueName] = JSON.stringify(head)))
  }

  const change = (edit: (rows: Row[], writer?: Writer) => void) => {
    const apply = (rows: Row[], writer?: Writer) => {
      if (consent == 'granted') remember(() => edit(rows, writer))
    }

    return store(apply).catch(() => apply([]))
  }

  const unsaved = () => held.filter((row) => !row.stored)

  /** Writes the rows that are not yet in the store, and reads those that are. */
  const sync = async () => {
    let rows: Row[] = []

    const durable = await change((stored, writer) => {
      rows = unsaved().filter((row) => stored.every((other) => other.id != row.id))
      rows.map((row) => {
        finish(row.event, head)
        writer?.put(row)
      })
      if (!writer) return

      stored.map((row) => (row.stored = 1))
      held = [...stored, ...rows]
    })

    if (durable) rows.map((row) => (row.stored = 1))
  }

  const save = async () => {
    if (saving) return

    saving = 1
    saving = await 0 // what is tracked in one go is saved in one transaction

    await sync()
    again(1e3)
  }

  const again = (milliseconds: number) => (timer ||= later(flush, Math.min(milliseconds, 1e9)))

  const deliver = async (rows: Row[]) => {
    let size = 6700 // besides the events, so that no more than 9 requests fit
    remember(() =>
      rows.map((row) => {
        finish(row.event, head)
        size += row.bytes
      }),
    )
    const keepalive = flying + size <= BUDGET + 6700
    const sent = Date.now()

    flying += size
    rows.map((row) => (row.flies = keepalive))
    const response = await send(JSON.stringify(rows.map((row) => row.event)), keepalive).catch(Response.error)
    const answer = (await response.json().catch(() => 0)) || {} // somebody else may answer, or nobody
    flying -= size
    rows.map((row) => (row.flies = 0))

    const { status, headers } = response
    const date = Date.parse(headers.get('date')!)
    const pause = +headers.get('retry-after')! * 1e3 || 0
    if (status == 413) limit /= 2

    let left: (() => void)[] = []

    await change((stored, writer) => {
      left = []
      if (!(writer && answer.results?.[0])) failures++ // verdicts that another request has brought are no failure
      // Date is in whole seconds. A clock that is behind is right: its times are in the past.
      if (date) head.ahead = sent - date > 1e3 ? sent - date : 0
      head.sent = sent
      head.wait = sent + pause

      rows.map((row, index) => {
        const verdict: Verdict | undefined = answer.results?.[index]
        if (!verdict || [...stored, ...unsaved()].every((other) => other.id != row.id)) return

        failures = 0
        const time = Date.parse(row.event.timestamp)
        if (time > date && verdict.errors?.[0].code == 'timestamp_in_future') {
          row.event.timestamp = new Date(Math.min(time - sent, 0) + date).toISOString()
          return writer?.put(row)
        }

        writer?.delete(row.id)
        left.push(() => {
          held = held.filter((other) => other.id != row.id)
          count(stats, verdict.status)
          queueMicrotask(() => options.onVerdict?.(row.event, verdict))
        })
      })
    })

    if (failures) resume = Date.now() + pause + Math.random() * Math.min(3e5, 2 ** failures * 1e3)
    if (!answer.results) queueMicrotask(() => options.onError?.({ status, code: answer.code }))

    left.map((leave) => leave())
  }

  const drain = async () => {
    next = await 0
    timer = clearTimeout(timer)

    while (consent == 'granted') {
      await sync()

      const wait = Math.max(resume, head.wait) - Date.now()
      // A clock that was put back since the last request has nothing to wait for.
      if (wait > 0 && head.sent! <= Date.now()) return again(wait)

      const rows = cut(held, limit)
      if (!rows[0]) return

      await deliver(rows)
    }
  }

  const flush = () => (next ||= alone(drain))

  return {
    track(category: string, name: string, data?: object, given?: Partial<Event>): string | undefined {
      try {
        const id = uuid()
        const json = JSON.stringify({ event_id: id, category, name, data: data || {}, timestamp: new Date(), ...given })
        const row: Row = { id, event: JSON.parse(json), bytes: new TextEncoder().encode(json).length + 60 } // and a session
        const reason =
          consent == 'denied'
            ? 'consent'
            : row.bytes > BUDGET
              ? 'too_large'
              : held.length >= (options.maxQueue || 1e3) || !cut([...held, row], maxBytes)[held.length]
                ? 'full'
                : ''

        if (reason) return count(stats.dropped, reason) as undefined

        held.push(row)
        if (consent == 'granted') save()

        return id
      } catch {
        count(stats.dropped, 'invalid')
      }
    },

    consent(state: Consent) {
      consent = denied ? 'denied' : state

      if (consent == 'granted') {
        save()
        flush()
      }

      if (consent == 'denied') {
        held.map(() => count(stats.dropped, 'consent'))
        held = []
        delete head.session
        safely(() => {
          delete localStorage[queueName]
          indexedDB.deleteDatabase(queueName)
        })
      }
    },

    flush: () => ((resume = 0), flush()),

    /** Sends what has no verdict while the page may end: at once, from memory. */
    pagehide() {
      const rows = cut(
        held.filter((row) => !row.flies),
        BUDGET - flying,
      )
      if (consent == 'granted' && rows[0] && head.wait < Date.now()) deliver(rows)
    },

    session: () => current(head, Date.now()),

    stats: (): Stats => ({
      ...stats,
      queued: held.length,
      unsaved: unsaved().length,
      dropped: { ...stats.dropped },
    }),
  }
}
