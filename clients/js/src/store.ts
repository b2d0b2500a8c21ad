import type { Row } from './event.js'

/** What a queue remembers besides its rows, from page to page and from tab to tab. */
export interface Head {
  /** How many milliseconds the clock of the client is ahead of that of the service. */
  ahead: number
  /** When the service wants to be asked again at the earliest, by the clock of the client. */
  wait: number
  /** When the last request was sent, by the clock of the client. */
  sent?: number
  /** The session, when it began, and when its last event happened. */
  session?: string
  begin?: number
  timestamp?: number
}

export interface Writer {
  put(row: Row): unknown
  delete(id: string): unknown
}

/** Gets the rows in the order of their ids, and a writer unless nothing can be written. */
export type Edit = (rows: Row[], writer?: Writer) => void

/**
 * One transaction: gives all rows to edit, and writes what that puts and deletes.
 * Transactions follow one another, also those of other tabs. Resolves with something true when
 * all is written and survives the end of the page; rejects when nothing is written.
 */
export type Store = (edit: Edit) => Promise<unknown>
