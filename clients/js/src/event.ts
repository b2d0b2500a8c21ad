/** An event as the service takes it. */
export interface Event {
  event_id: string
  session_id: string
  category: string
  name: string
  data: Record<string, unknown>
  /** RFC 3339, in UTC, by the clock of the service as far as the client knows it. */
  timestamp: string
}

/** What became of one event. Each status is final. */
export interface Verdict {
  event_id: string
  status: 'stored' | 'duplicate' | 'rejected' | 'conflict'
  /** The place of a stored event in its session. */
  sequence?: number
  /** Why an event was rejected. */
  errors?: { code: string; pointer?: string; detail?: string }[]
  error_id?: string
}

/** An event in the queue. Stores keep rows, so the names of the members never change. */
export interface Row {
  /** The id of the event. Ids of one client sort in the order of their making. */
  id: string
  session?: string
  /** Milliseconds, by the clock of the client until the row is settled, then corrected. */
  time: number
  /** The JSON of category, name and data, without the opening brace. */
  rest: string
  /** The bytes of the event on the wire, or a few more. */
  size: number
  /** Session and time are final: what was sent once is never sent otherwise. */
  final?: 1
  /** How often the service found the time to be in the future. */
  tries?: number
  /** The store has the row (1), or is being given it (0). */
  kept?: 0 | 1
  /** A request that outlives the page carries the row. */
  flying?: boolean
}

/** The bytes of an event besides category, name and data, and a comma. */
const ENVELOPE = 150

/** The bytes of rest on the wire, with the rest of its event. */
export const sizeOf = (rest: string) => new TextEncoder().encode(rest).length + ENVELOPE

/** The JSON of an event. */
export const encode = (row: Row) =>
  `{"event_id":"${row.id}","session_id":"${row.session}","timestamp":"${new Date(row.time).toISOString()}",${row.rest}`

/** The first of the rows that fit into a body of limit bytes; at least one. */
export const cut = (rows: Row[], limit: number) => {
  let size = 0

  return rows.filter((row, index) => (size += row.size) < limit || !index)
}
