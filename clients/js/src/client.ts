import { trackActions } from './clicks'
import { browserStore } from './idb'
import { trackPages } from './pages'
import { createQueue } from './queue'
import type { Consent, QueueOptions, Stats } from './queue'
import { current, join } from './session'
import { traceparent } from './trace'

export type Track = (category: string, name: string, data?: object) => string | undefined

export interface Options extends QueueOptions {
  /** The address of the service, with its path prefix if it has one. */
  url: string
  /** A public key, eyp_… */
  key: string
  /** Track page views: 'page', 'view'. Default true. */
  pages?: boolean
  /** Track clicks on elements with data-eye="category:name". Default true. */
  clicks?: boolean
  /** Track submits of forms with data-eye="category:name", without their values. Default true. */
  forms?: boolean
  /** Default 'granted'. */
  consent?: Consent
  /** Take Global Privacy Control for 'denied', whatever consent says. Default true. */
  gpc?: boolean
  /** Events kept until their verdict, at most. Default 1000. */
  maxQueue?: number
}

export interface Client {
  /** Queues an event and returns its id at once, or undefined if it was dropped and counted. */
  track: Track
  consent(state: Consent): void
  /** Tries to send all that is queued; resolves after the attempt. */
  flush(): Promise<void>
  /** The current session, as far as this tab knows. */
  session(): string | undefined
  stats(): Stats
}

/** Starts a client. Options may be strings, as attributes of a script element are. */
export const init = (options: Options): Client => {
  const on = (name: 'pages' | 'clicks' | 'forms' | 'gpc') => options[name] + '' != 'false'
  const trace = traceparent()
  const denied = on('gpc') && (navigator as any).globalPrivacyControl
  const name = 'theeye'

  const queue = createQueue(
    {
      store: browserStore(name),
      url: `${options.url.replace(/\/$/, '')}/v1/collect?key=${options.key}${trace ? '&traceparent=' + trace : ''}`,
      maxBytes: 1e6,
      maxBody: 6e4,
      alone: (work) => navigator.locks ? navigator.locks.request(name, work).catch(work) as Promise<void> : work(),
      join,
      later: (work, milliseconds) => setTimeout(work, milliseconds),
    },
    { ...options, maxQueue: +options.maxQueue! || 1e3 },
  )
  const consent = (state: Consent) => queue.consent(denied ? 'denied' : state)
  const track: Track = (category, event, data) => queue.track(category, event, data)

  consent(options.consent || 'granted')
  if (on('pages')) trackPages(track)
  if (on('clicks')) trackActions(track, 'click')
  if (on('forms')) trackActions(track, 'submit')

  addEventListener('online', queue.flush)
  addEventListener('pagehide', queue.leave)
  document.addEventListener('visibilitychange', () => document.hidden && queue.leave())

  return {
    track,
    consent,
    flush: queue.flush,
    session: () => current(queue.head(), Date.now()),
    stats: queue.stats,
  }
}
