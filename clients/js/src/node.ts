import { createQueue } from './queue.js'
import type { QueueOptions, Stats } from './queue.js'
import { openSpool } from './spool.js'

export type { Event, Verdict } from './event.js'
export type { Failure, Stats } from './queue.js'

export interface Options extends QueueOptions {
  /** The address of the service, with its path prefix if it has one. */
  url: string
  /** A key with the scope ingest (eye_…), or a public key (eyp_…) that needs no origin. */
  key: string
  /**
   * A folder that keeps the queue, for one process at a time. Without one the queue ends with the
   * process.
   */
  spool?: string
  /** Whether each event is forced to the disk, to survive the machine too. Default false. */
  fsync?: boolean
  /** Events kept until their verdict, at most. Default 10,000. */
  maxQueue?: number
  /** Bytes of events kept until their verdict, at most. Default 10,000,000. */
  maxBytes?: number
}

export interface Client {
  /** Queues an event of a session and returns its id at once, or undefined if it was dropped and counted. */
  track(session: string, category: string, name: string, data?: object): string | undefined
  /** Tries to send all that is queued; resolves after the attempt. */
  flush(): Promise<void>
  /**
   * Takes no more events, sends what is queued for at most some milliseconds (default 5,000), and
   * resolves with the number of events that are left. Those stay in the spool, if there is one.
   */
  close(milliseconds?: number): Promise<number>
  stats(): Stats
}

/** Posts bodies to the service, by the way in that the key is for. */
const sender = (options: Options) => {
  const base = options.url.replace(/\/$/, '')
  const open = options.key.startsWith('eyp_')
  const url = open ? `${base}/v1/collect?key=${options.key}` : `${base}/v1/events`
  const headers: Record<string, string> = { 'content-type': 'application/json' }
  if (!open) headers.authorization = `Bearer ${options.key}`

  return (body: string) => fetch(url, { method: 'POST', body, headers, signal: AbortSignal.timeout(3e4) })
}

/** Runs one piece of work after another. */
const oneByOne = () => {
  let last = Promise.resolve()

  return (work: () => Promise<void>) => (last = last.then(work))
}

/** Waits for work, or for some milliseconds, whichever ends first. It holds the process open. */
const within = async (milliseconds: number, work?: Promise<void>) => {
  let timer: NodeJS.Timeout
  const end = new Promise<void>((done) => (timer = setTimeout(done, milliseconds)))

  await Promise.race(work ? [work, end] : [end])
  clearTimeout(timer!)
}

/**
 * Starts a client. It never holds a process open, but for a request under way and for close.
 * Throws when the spool cannot be opened, or when another process has it.
 */
export const init = (options: Options): Client => {
  const spool = options.spool ? openSpool(options.spool, !!options.fsync) : undefined
  const send = sender(options)
  const { maxQueue = 1e4, maxBytes = 1e7 } = options
  let ahead = 0

  const queue = createQueue(
    { ...options, maxQueue },
    spool?.store ?? (() => Promise.reject()),
    async (body) => {
      const sent = Date.now()
      const response = await send(body)
      const date = Date.parse(response.headers.get('date') ?? '')
      if (date) ahead = sent - date > 1e3 ? sent - date : 0

      return response
    },
    oneByOne(),
    false,
    undefined,
    maxBytes,
    (work, milliseconds) => setTimeout(work, milliseconds).unref(),
  )
  let closed: Promise<number> | undefined
  let late = 0
  let missing = 0

  const drain = async (milliseconds: number) => {
    const deadline = Date.now() + milliseconds

    do {
      await within(deadline - Date.now(), queue.flush())
      if (queue.stats().queued) await within(Math.min(100, deadline - Date.now()))
    } while (queue.stats().queued && Date.now() < deadline)

    queue.consent('pending')
    spool?.close()

    return queue.stats().queued
  }

  queue.consent('granted')

  return {
    track(session, category, name, data) {
      if (closed) {
        late++

        return undefined
      }

      // Without one the queue would make up a session, and all such events would be of one visitor.
      if (!session) {
        missing++

        return undefined
      }

      return queue.track(category, name, data, {
        session_id: session,
        timestamp: new Date(Date.now() - ahead).toISOString(),
      })
    },

    flush: queue.flush,

    close: (milliseconds = 5e3) => (closed ??= drain(milliseconds)),

    stats() {
      const stats = { conflict: 0, ...queue.stats() }
      if (late) stats.dropped.closed = late
      if (missing) stats.dropped.session = missing

      return stats
    },
  }
}
