// Scenes about the queue: events that wait, are sent again, or are refused.

import { until } from '../stage.mjs'

// Tracks n events in a page, and returns their ids.
export function track(page, n, data = {}) {
  return page.evaluate(
    ([n, data]) => Array.from({ length: n }, (_, i) => window.eye.track('test', 'tracked', { i, ...data })),
    [n, data],
  )
}

// Waits until the events are in the queue for good.
export function waitUntilWritten(page, ids) {
  return until('events written', () => page.evaluate((ids) => ids.every((id) => window.written.has(id)), ids))
}

// Waits until a page has n verdicts, and returns them.
export function waitForVerdicts(page, n) {
  return until(`${n} verdicts`, () => page.evaluate((n) => (window.verdicts.length >= n ? window.verdicts : null), n))
}

export function statsOf(page) {
  return page.evaluate(() => window.eye.stats())
}

// Events are tracked while nothing gets through; the page is loaded anew, and then they are sent.
export async function reloadWhileOffline(stage) {
  await stage.disturb({ kind: 'cut' })
  const page = await stage.openPage(await stage.openContext())
  const ids = await track(page, 5)
  await waitUntilWritten(page, ids)
  await page.reload()
  const queued = await until('the queue read', async () => (await statsOf(page)).queued)

  await stage.calm()
  await page.evaluate(() => window.eye.flush())
  const verdicts = await waitForVerdicts(page, 5)
  return { ids, queued, verdicts, left: (await statsOf(page)).queued }
}

// The service stores what it is sent, but the answer is lost.
export async function loseAnswer(stage) {
  await stage.disturb({ kind: 'lose', times: 2 })
  const page = await stage.openPage(await stage.openContext())
  const ids = await track(page, 3)
  const verdicts = await waitForVerdicts(page, 3)
  return { ids, verdicts, failures: await page.evaluate(() => window.failures) }
}

// One event of three has a name that is too long.
export async function trackOneThatIsRejected(stage) {
  const page = await stage.openPage(await stage.openContext())
  const ids = await page.evaluate(() => [
    window.eye.track('test', 'tracked'),
    window.eye.track('test', 'n'.repeat(129)),
    window.eye.track('test', 'tracked'),
  ])
  const verdicts = await waitForVerdicts(page, 3)
  await page.evaluate(() => window.eye.flush())
  return { ids, verdicts, stats: await statsOf(page) }
}

// The service asks for patience once, and the page does not stop tracking.
export async function askForPatience(stage, { status }) {
  await stage.disturb({ kind: 'refuse', status, retry_after: '2', times: 1 })
  const page = await stage.openPage(await stage.openContext())
  await track(page, 1)
  await stage.waitForRequests(1)
  await track(page, 1)
  await waitForVerdicts(page, 2)
  return { failures: await page.evaluate(() => window.failures) }
}

// The service asks for more patience than a browser's day has, while much is tracked.
export async function askForADay(stage) {
  await stage.disturb({ kind: 'refuse', status: 503, retry_after: '86400' })
  const page = await stage.openPage(await stage.openContext())
  await track(page, 1)
  await stage.waitForRequests(1)
  for (let i = 0; i < 20; i++) {
    await track(page, 1)
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 100)))
  }
  return {}
}

// The network fails first, then the key is refused.
export async function failInTwoWays(stage) {
  await stage.disturb({ kind: 'cut' })
  const context = await stage.openContext()
  const unreachable = await stage.openPage(context)
  await track(unreachable, 1)
  const network = await waitForFailure(unreachable)

  await stage.calm()
  const page = await stage.openPage(await stage.openContext({ key: stage.given.revoked }))
  const ids = await track(page, 1)
  const revoked = await waitForFailure(page)
  return { network, revoked, queued: (await statsOf(page)).queued, ids }
}

function waitForFailure(page) {
  return until('a failure', () => page.evaluate(() => window.failures[0]))
}

// More events are tracked than the queue may hold.
export async function fillQueue(stage) {
  await stage.disturb({ kind: 'cut' })
  const page = await stage.openPage(await stage.openContext({ maxQueue: 20 }))
  const ids = await track(page, 30)
  const full = await statsOf(page)
  await stage.calm()
  await page.evaluate(() => window.eye.flush())
  await waitForVerdicts(page, 20)
  const later = await track(page, 1)
  await waitForVerdicts(page, 21)
  return { ids: ids.filter(Boolean), refused: ids.filter((id) => !id).length, full, later }
}

// Both of two tabs track, and both see verdicts.
export async function trackInTwoTabs(stage) {
  await stage.disturb({ delay: 20 })
  const context = await stage.openContext()
  const tabs = await Promise.all([stage.openPage(context), stage.openPage(context)])
  const ids = []
  for (let round = 0; round < 10; round++) {
    const tracked = await Promise.all(tabs.map((tab) => track(tab, 3)))
    ids.push(...tracked.flat())
  }

  const readVerdicts = async () => (await Promise.all(tabs.map((tab) => tab.evaluate(() => window.verdicts)))).flat()
  await until('all verdicts', async () => (await readVerdicts()).length >= ids.length)
  const stats = await Promise.all(tabs.map(statsOf))
  return { ids, verdicts: await readVerdicts(), queued: stats.map((each) => each.queued) }
}
