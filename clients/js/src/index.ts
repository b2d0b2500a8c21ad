export { init } from './client.js'
export type { Client, Options, Track } from './client.js'
export type { Event, Verdict } from './event.js'
export type { Consent, Failure, Stats } from './queue.js'
