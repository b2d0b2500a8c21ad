import { createQueue } from './queue.js'
import { trackPages } from './pages.js'
import { browserStore, NAME } from './idb.js'
import type { Consent, QueueOptions, Stats } from './queue.js'
import { traceparent } from './trace.js'
import { trackActions } from './clicks.js'

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
  /**
   * The name of the queue and of its session. Whoever has the same one on an origin sends the events
   * of all, with its own key: two applications need two. Default 'theeye'.
   */
  queue?: string
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
  const url = options.url.replace(/\/?$/, '/v1/collect?key=' + options.key) + (trace ? '&traceparent=' + trace : '')
  const queueName = options.queue || NAME
  const queue = createQueue(
    options,
    browserStore(queueName),
    (body, keepalive) =>
      fetch(url, { method: 'POST', body, keepalive, credentials: 'omit', signal: AbortSignal.timeout?.(3e4) }),
    (work) => (navigator.locks?.request(queueName, work).catch(work) as Promise<void>) || work(),
    on('gpc') && (navigator as any).globalPrivacyControl,
    queueName,
  )
  const { track, pagehide } = queue

  queue.consent(options.consent || 'granted')
  if (on('pages')) trackPages(track)
  if (on('clicks')) trackActions(track, 'click', '[data-eye]:not(form)')
  if (on('forms')) trackActions(track, 'submit', 'form[data-eye]')

  addEventListener('pagehide', pagehide)
  addEventListener('visibilitychange', pagehide)
  addEventListener('online', queue.flush)

  return queue
}
