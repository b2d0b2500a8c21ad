/** How many milliseconds to wait after a number of failures: full jitter, at most 5 minutes. */
export const backoff = (failures: number) => Math.random() * Math.min(3e5, 1e3 * 2 ** failures)
