import { trackActions } from './clicks.js'
import { browserStore, NAME } from './idb.js'
import { trackPages } from './pages.js'
import { createQueue } from './queue.js'
import type { Consent, QueueOptions, Stats } from './queue.js'
import { traceparent } from './trace.js'

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
  const url = options.url.replace(/\/?$/, '/v1/collect?key=' + options.key) + (trace ? '&traceparent=' + trace : '')

  const queue = createQueue(
    options,
    browserStore,
    (body, keepalive) =>
      fetch(url, { method: 'POST', body, keepalive, credentials: 'omit', signal: AbortSignal.timeout?.(3e4) }),
    (work) => (navigator.locks?.request(NAME, work).catch(work) as Promise<void>) || work(),
    on('gpc') && (navigator as any).globalPrivacyControl,
  )
  const { track, pagehide } = queue

  queue.consent(options.consent || 'granted')
  if (on('pages')) trackPages(track)
  if (on('clicks')) trackActions(track, 'click', '[data-eye]:not(form)')
  if (on('forms')) trackActions(track, 'submit', 'form[data-eye]')

  addEventListener('online', queue.flush)
  addEventListener('pagehide', pagehide)
  addEventListener('visibilitychange', pagehide)

  return queue
}
