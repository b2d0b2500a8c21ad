import type { Row } from './event'

/** What a queue remembers besides its rows. It is kept with them, under the empty id. */
export interface Head {
  id: ''
  /** The rows in the store, and their bytes. */
  count: number
  bytes: number
  /** How many milliseconds the clock of the client is ahead of that of the service. */
  ahead: number
  /** When the service wants to be asked again at the earliest, by the clock of the client. */
  wait: number
  /** The session, when it began, and when its last event happened. */
  session?: string
  begin?: number
  last?: number
}

export interface Writer {
  put(row: Row | Head): unknown
  delete(id: string): unknown
}

/**
 * One transaction: reads the head and the rows up to an id, gives them to edit, and writes what
 * edit puts and deletes. Transactions follow one another, also those of other tabs. Resolves
 * when all of it is written, with whether it survives the end of the page.
 */
export type Store = (last: string, edit: (rows: (Row | Head)[], writer: Writer) => void) => Promise<boolean>

/** A store that ends with the page or the process. */
export const memory = (): Store => {
  const rows = new Map<string, Row | Head>()

  return async (last, edit) => {
    edit([...rows.values()].filter((row) => row.id <= last), {
      put: (row) => rows.set(row.id, row),
      delete: (id) => rows.delete(id),
    })

    return false
  }
}
