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
  /**
   * Without a session, its timestamp is by the clock of the client. With one, both are final: what
   * was sent once is never sent otherwise.
   */
  event: Event
  /** The bytes of the event on the wire, or a few more. */
  bytes: number
  /** Whether the store has the row, as far as this tab knows. */
  stored?: 1
  /** Whether a request that outlives the page carries the row. */
  flies?: boolean | 0
}

/** The first of the rows that fit into a body of limit bytes; at least one. */
export const cut = (rows: Row[], limit: number) => rows.filter((row, index) => (limit -= row.bytes) >= 0 || !index)
