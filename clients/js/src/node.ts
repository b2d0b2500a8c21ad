export type { Event, Verdict } from './event'
