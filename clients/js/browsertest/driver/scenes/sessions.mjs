// Scenes about sessions.

import { track, waitForVerdicts, waitUntilWritten } from './queue.mjs'

const minute = 60_000

function sessionOf(page) {
  return page.evaluate(() => window.eye.session())
}

// Three tabs are opened at the same time, and one after them; each sees its page view and tracks.
export async function openThreeTabs(stage, { without }) {
  const context = await stage.openContext({ pages: true }, { without })
  const tabs = await Promise.all([stage.openPage(context), stage.openPage(context), stage.openPage(context)])
  await Promise.all(tabs.map((tab) => track(tab, 2)))
  await Promise.all(tabs.map((tab) => tab.evaluate(() => window.eye.flush())))
  await stage.waitForRequests(1)

  const last = await stage.openPage(context)
  const [id] = await track(last, 1)
  await last.evaluate(() => window.eye.flush())
  await waitUntilWritten(last, [id])
  return { sessions: await Promise.all([...tabs, last].map(sessionOf)) }
}

// Some pages are left before they are done with anything.
export async function leaveAtOnce(stage, { pages }) {
  const context = await stage.openContext({ pages: true })
  const page = await stage.openPage(context)
  await page.evaluate(() => window.eye.flush())
  for (let i = 0; i < pages; i++) {
    await page.goto(`${stage.given.site}/hasty.html`)
    await page.waitForURL('**/plain.html')
  }
}

// Some visitors track without a break, so that much of it happens while something is written or sent.
export async function trackWithoutBreak(stage, { visitors, events }) {
  const sessions = []
  for (let i = 0; i < visitors; i++) {
    const page = await stage.openPage(await stage.openContext({ pages: true }))
    await page.evaluate(async (events) => {
      for (let i = 0; i < events; i++) {
        window.eye.track('test', 'tracked', { i })
        if (i % 5 === 0) window.eye.flush()
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    }, events)
    await page.evaluate(() => window.eye.flush())
    await waitForVerdicts(page, events + 1)
    sessions.push(await sessionOf(page))
  }
  return { sessions }
}

// Opens a page whose clock begins in the past, and goes forward only when it is told to.
async function openPageInThePast(stage, age) {
  const context = await stage.openContext()
  await context.clock.install({ time: Date.now() - age })
  return stage.openPage(context)
}

async function trackAfter(page, minutes) {
  if (minutes) await page.clock.fastForward(minutes * minute)
  const ids = await track(page, 1)
  await waitUntilWritten(page, ids)
  return ids[0]
}

// The page tracks, and again after each of these minutes.
export async function trackWithPauses(stage, { pauses }) {
  const all = pauses.reduce((sum, pause) => sum + pause, 0)
  const page = await openPageInThePast(stage, (all + 60) * minute)
  const ids = []
  for (const pause of pauses) ids.push(await trackAfter(page, pause))
  await page.evaluate(() => window.eye.flush())
  await waitForVerdicts(page, ids.length)
  return { ids }
}
