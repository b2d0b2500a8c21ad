import type { Event } from './event.js'
import type { Head } from './store.js'
import { uuid } from './uuid.js'

/** The session that an event of this time belongs to, if it has not ended. */
export const current = (head: Head, time: number) =>
  Math.abs(time - head.timestamp!) < 18e5 && time - head.begin! < 864e5 ? head.session : undefined

/** Makes session and timestamp of an event final: the session is a new one where the last has ended. */
export const finish = (event: Event, head: Head) => {
  if (event.session_id) return

  const time = Date.parse(event.timestamp)
  if (!current(head, time)) {
    head.session = uuid()
    head.begin = time
  }

  head.timestamp = time
  event.session_id = head.session!
  event.timestamp = new Date(time - head.ahead).toISOString()
}
