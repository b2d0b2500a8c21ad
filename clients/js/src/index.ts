export { init } from './client'
export type { Client, Options, Track } from './client'
export type { Event, Verdict } from './event'
export type { Consent, Failure, Stats } from './queue'
