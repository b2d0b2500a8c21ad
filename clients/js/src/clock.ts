import type { Row } from './event'

/**
 * How many milliseconds the client's clock is ahead of the service's, by the Date of an answer
 * to a request sent at sent. Date is in whole seconds, so one second is nothing. A clock that is
 * behind is right: its times are in the past, and the past is allowed.
 */
export const aheadBy = (sent: number, date: number) => (sent - date > 1e3 ? sent - date : 0)

/** The time of a row that the service refused as being in the future. */
export const corrected = (row: Row, sent: number, date: number) => Math.min(row.time - sent + date, date)
