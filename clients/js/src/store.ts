import type { Row } from './event'

/** What a queue remembers besides its rows. It is kept with them, under the empty id. */
export interface Head {
  id: ''
  /** How many milliseconds the clock of the client is ahead of that of the service. */
  ahead: number
  /** When the service wants to be asked again at the earliest, by the clock of the client. */
  wait: number
  /** The session, when it began, and when its last event happened. */
  session?: string
  begin?: number
  timestamp?: number
}

export interface Writer {
  put(row: Row | Head): unknown
  delete(id: string): unknown
}

/** Gets the head, unless there is none yet, and then rows in the order of their ids. */
export type Edit = (all: (Row | Head)[], writer?: Writer) => void

/**
 * One transaction: gives the head and all rows to edit, and writes what that puts and deletes.
 * Transactions follow one another, also those of other tabs. Resolves with something true when
 * all is written and survives the end of the page; rejects when nothing is written.
 */
export type Store = (edit: Edit) => Promise<unknown>
