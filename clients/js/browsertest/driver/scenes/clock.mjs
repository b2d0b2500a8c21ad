// Scenes about clocks that are wrong.

import { track, waitForVerdicts } from './queue.mjs'

const tenMinutes = 600_000

// The clock is ahead while events are tracked, and still after the page was loaded anew.
export async function runAhead(stage) {
  const context = await stage.openContext({}, { ahead: tenMinutes })
  const page = await stage.openPage(context)
  const first = await track(page, 5)
  await page.evaluate(() => window.eye.flush())
  const verdicts = await waitForVerdicts(page, 5)

  await page.reload()
  const later = await track(page, 2)
  await page.evaluate(() => window.eye.flush())
  verdicts.push(...(await waitForVerdicts(page, 2)))
  return { first, later, verdicts }
}

// The clock is ahead when the service asks for patience, and is put right after that.
export async function putClockRight(stage) {
  await stage.disturb({ kind: 'refuse', status: 503, retry_after: '1', times: 1 })
  const context = await stage.openContext()
  const wrong = await context.newPage()
  await stage.prepare(wrong, {}, { ahead: tenMinutes })
  await wrong.goto(`${stage.given.site}/page.html`)
  const ids = await track(wrong, 1)
  await stage.waitForRequests(1)
  await wrong.waitForFunction(() => window.failures.length)
  await wrong.close()

  const right = await stage.openPage(context)
  ids.push(...(await track(right, 1)))
  const verdicts = await waitForVerdicts(right, 2)
  return { ids, verdicts }
}
