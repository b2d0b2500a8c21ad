// Scenes about events that are tracked when their page is about to end.

import { statsOf, track, waitUntilWritten } from './queue.mjs'
import { until } from '../stage.mjs'

// How a page ends.
const ends = {
  async navigated(page, { other }) {
    await page.evaluate((to) => void (location.href = to), `${other}/plain.html`)
    await page.waitForURL(`${other}/plain.html`)
  },
  async closed(page) {
    await page.close()
  },
  // The whole context, with its connections, goes 20 ms after its last page.
  async quit(page) {
    const context = page.context()
    await page.close()
    await new Promise((resolve) => setTimeout(resolve, 20))
    await context.close()
  },
}

// Tracks one event in each of some pages right before it ends.
export async function trackAtTheEnd(stage, { end, pages, delay }) {
  await stage.disturb({ delay })
  const ids = []
  for (let i = 0; i < pages; i++) {
    const page = await stage.openPage(await stage.openContext())
    ids.push(...(await track(page, 1)))
    await ends[end](page, stage.given)
  }
  await stage.waitForEvents(pages)
  return { ids }
}

// Far more is tracked than a browser lets a page send while it ends. The rest waits.
export async function leaveWithTooMuch(stage) {
  await stage.disturb({ kind: 'cut' })
  const context = await stage.openContext()
  const page = await stage.openPage(context)
  const ids = await track(page, 30, { filler: 'f'.repeat(10_000) })
  await waitUntilWritten(page, ids)
  await until('a first attempt', () => page.evaluate(() => window.failures.length))
  await stage.calm()
  await stage.disturb({ delay: 150 })
  await page.close()

  const next = await stage.openPage(context)
  await next.evaluate(() => window.eye.flush())
  await until('an empty queue', async () => (await statsOf(next)).queued === 0)
  return { ids, flights: await next.evaluate(() => window.flights) }
}

// The page is hidden again and again while the service answers slowly.
export async function hideAgainAndAgain(stage) {
  await stage.disturb({ delay: 500 })
  const page = await stage.openPage(await stage.openContext())
  const ids = await page.evaluate(async () => {
    const tracked = []
    Object.defineProperty(document, 'visibilityState', { value: 'hidden' })
    Object.defineProperty(document, 'hidden', { value: true })
    for (let i = 0; i < 15; i++) {
      tracked.push(window.eye.track('test', 'tracked', { i, filler: 'f'.repeat(6_000) }))
      document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    return tracked
  })
  await until('an empty queue', async () => (await statsOf(page)).queued === 0)
  return { ids, flights: await page.evaluate(() => window.flights) }
}
