import { backoff } from './backoff'
import { aheadBy, corrected } from './clock'
import { cut, encode, sizeOf } from './event'
import type { Event, Row, Verdict } from './event'
import type { Head, Store, Writer } from './store'
import { uuid } from './uuid'

export type Consent = 'granted' | 'pending' | 'denied'

/** What became of the events of this page, and what was dropped, by the reason. */
export interface Stats {
  /** Events that have no verdict yet, those of other tabs included. */
  queued: number
  stored: number
  duplicate: number
  rejected: number
  conflict: number
  /** Events that no storage took. They end with the page. */
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

/** What a queue needs of the place where it runs. */
export interface Place {
  store: Store
  url: string
  headers?: Record<string, string>
  maxBytes: number
  maxBody: number
  /** Runs what only one tab may do at a time. */
  alone(work: () => Promise<void>): Promise<void>
  /** The session of an event that has none. */
  join?(head: Head, time: number): string
  later(work: () => void, milliseconds: number): unknown
}

const BUDGET = 6e4 // browsers allow 64 KiB, in all requests that outlive the page together
const LINGER = 1e3

export const createQueue = (place: Place, options: QueueOptions) => {
  const held = new Map<string, Row>() // what this tab knows of and has no verdict for
  const stats: Stats = { queued: 0, stored: 0, duplicate: 0, rejected: 0, conflict: 0, unsaved: 0, dropped: {} }
  let head: Head = { id: '', count: 0, bytes: 0, ahead: 0, wait: 0 }
  let loose = { count: 0, bytes: 0 } // held, and not in the store
  let fresh: Row[] = [] // tracked, and not yet given to the store
  let consent: Consent = 'pending'
  let limit = place.maxBody
  let flying = { count: 0, bytes: 0 }
  let failures = 0
  let resume = 0
  let due = Infinity
  let timer: any
  let running = Promise.resolve()

  const tally = (sum: { count: number; bytes: number }, row: { size: number }, sign: number) => {
    sum.count += sign
    sum.bytes += sign * row.size
  }

  const drop = (reason: string, count = 1) => {
    stats.dropped[reason] = (stats.dropped[reason] || 0) + count
  }

  const change = async (last: string, edit: (head: Head, rows: Row[], writer: Writer) => void) => {
    let next = head

    const durable = await place.store(last, (rows, writer) => {
      next = (rows.find((row) => !row.id) as Head) || head
      edit(next, rows.filter((row) => row.id) as Row[], writer)
      writer.put(next)
    })
    head = next

    return durable
  }

  const finish = (row: Row, head: Head) => {
    if (row.final) return

    row.final = 1
    row.session ||= place.join!(head, row.time)
    row.time -= head.ahead
  }

  const save = async () => {
    const rows = fresh.filter((row) => held.has(row.id))
    fresh = []
    rows.map((row) => (row.kept = 0))

    const durable = await change('', (head, _, writer) =>
      rows.map((row) => {
        finish(row, head)
        row.kept = 1
        writer.put(row)
        tally(head, row, 1)
      }),
    )

    rows.map((row) => tally(loose, row, -1))
    if (!durable) stats.unsaved += rows.length
    again(LINGER)
  }

  const again = (milliseconds: number) => {
    const at = Date.now() + milliseconds
    if (at > due) return

    clearTimeout(timer)
    due = at
    timer = place.later(() => {
      due = Infinity
      flush(false)
    }, milliseconds)
  }

  const settle = async (rows: Row[], results: Verdict[], sent: number, date: number, retryAfter: number) => {
    let left: [Row, Verdict][] = []

    await change(rows[rows.length - 1].id, (head, stored, writer) => {
      left = []
      if (date) head.ahead = aheadBy(sent, date)
      if (retryAfter) head.wait = Date.now() + Math.min(retryAfter, 3600) * 1e3

      results.map((verdict, index) => {
        const row = rows[index]
        if (!stored.some((other) => other.id == row.id)) return

        if (date && verdict.errors?.some((error) => error.code == 'timestamp_in_future') && (row.tries = (row.tries || 0) + 1) < 4) {
          row.time = corrected(row, sent, date)
          writer.put(row)
          return
        }

        writer.delete(row.id)
        tally(head, row, -1)
        left.push([row, verdict])
      })
    })

    left.map(([row, verdict]) => {
      stats[verdict.status]++
      try {
        options.onVerdict?.(JSON.parse(encode(row)), verdict)
      } catch (error) {
        console.error(error)
      }
    })
  }

  /** Sends rows, and says whether their verdicts came. */
  const deliver = async (rows: Row[]) => {
    rows.map((row) => finish(row, head))
    const body = `[${rows.map(encode)}]`
    const size = rows.reduce((sum, row) => sum + row.size, 0)
    const keepalive = flying.bytes + size <= BUDGET && flying.count < 9
    const sent = Date.now()
    let response: Response | undefined
    let answer: any = {}

    if (keepalive) tally(flying, { size }, 1)
    rows.map((row) => (row.flying = keepalive))
    try {
      response = await fetch(place.url, {
        method: 'POST',
        body,
        keepalive,
        credentials: 'omit',
        headers: place.headers,
        signal: AbortSignal.timeout?.(3e4),
      })
      answer = await response.json()
    } catch {
      // no answer, or one of somebody else
    }
    rows.map((row) => (row.flying = false))
    if (keepalive) tally(flying, { size }, -1)

    const status = response?.status || 0
    const read = (name: string) => response?.headers.get(name) || ''
    let results: Verdict[] | undefined = answer.results
    if (status == 413) {
      if (rows[1]) limit = size / 2
      else results = [{ event_id: rows[0].id, status: 'rejected', errors: [answer] }]
    }

    const retryAfter = +read('retry-after') || 0
    await settle(rows, results || [], sent, Date.parse(read('date')), retryAfter)

    if (results) {
      failures = 0
      rows.map((row) => row.tries || held.delete(row.id))
    } else {
      resume = Date.now() + retryAfter * 1e3 + backoff(++failures)
      again(resume - Date.now())
      options.onError?.({ status, code: answer.code })
    }

    return results
  }

  const drain = async (force: boolean) => {
    for (;;) {
      let rows: Row[] = []
      if (consent != 'granted') return

      await change('~', (_, stored) => (rows = stored))

      const wait = Math.max(force ? 0 : resume, head.wait) - Date.now()
      if (wait > 0 && wait < 36e5) return again(wait)

      rows = cut(rows, limit)
      if (!rows[0]) return held.forEach((row) => row.kept && held.delete(row.id))

      rows.map((row) => held.set(row.id, row))
      if (!(await deliver(rows))) return
    }
  }

  const flush = (force = true) => (running = running.then(() => place.alone(() => drain(force))))

  return {
    track(category: string, name: string, data?: object, session?: string): string | undefined {
      try {
        const rest = JSON.stringify({ category, name, data: data || {} }).slice(1)
        const row: Row = { id: uuid(), session, time: Date.now(), rest, size: sizeOf(rest) }

        if (consent == 'denied') return drop('consent') as undefined
        if (row.size > place.maxBody) return drop('too_large') as undefined
        if (head.count + loose.count >= options.maxQueue! || head.bytes + loose.bytes + row.size > place.maxBytes)
          return drop('full') as undefined

        held.set(row.id, row)
        tally(loose, row, 1)
        if (consent == 'granted' && fresh.push(row) == 1) Promise.resolve().then(save)

        return row.id
      } catch {
        drop('invalid')
      }
    },

    consent(state: Consent) {
      consent = state

      if (state == 'granted') {
        fresh = [...held.values()].filter((row) => row.kept == null)
        save()
        flush()
      }

      if (state == 'denied') {
        drop('consent', loose.count)
        held.clear()
        loose = { count: 0, bytes: 0 }
        change('~', (head, rows, writer) => {
          rows.map((row) => writer.delete(row.id))
          drop('consent', rows.length)
          head.count = head.bytes = 0
          head.session = undefined
        })
      }
    },

    flush: () => flush(),

    /** Sends what has no verdict while the page may end: at once, from memory. */
    leave() {
      const rows = [...held.values()].filter((row) => !row.flying)
      if (consent == 'granted' && rows[0] && head.wait < Date.now() && flying.count < 9)
        deliver(cut(rows, BUDGET - flying.bytes))
    },

    head: () => head,

    stats: (): Stats => ({ ...stats, queued: head.count + loose.count, dropped: { ...stats.dropped } }),
  }
}
