import type { Head } from './store'
import { uuid } from './uuid'

const IDLE = 18e5 // 30 minutes
const DAY = 864e5

/** The session that an event of this time belongs to, if it has not ended. */
export const current = (head: Head, time: number) =>
  Math.abs(time - head.last!) < IDLE && Math.abs(time - head.begin!) < DAY ? head.session : undefined

/** The same, and a new one where it has ended. */
export const join = (head: Head, time: number) => {
  if (!current(head, time)) {
    head.session = uuid()
    head.begin = time
  }

  head.last = time

  return head.session!
}
