// Scenes about how the SDK gets into a page.

import { until } from '../stage.mjs'
import { statsOf, track, waitForVerdicts } from './queue.mjs'

// A page that may run the scripts of its origin and of the service, and connect to the service alone.
export async function obeyPolicy(stage) {
  const page = await stage.openPage(await stage.openContext(), `/strict/page.html?eye=${encodeURIComponent(stage.given.eye)}`)
  const ids = await track(page, 1)
  const verdicts = await waitForVerdicts(page, 1)
  return { ids, verdicts, thrown: await page.evaluate(() => window.thrown) }
}

// The classic script of the service, with the hash that the service names.
export async function loadClassicScript(stage, { integrity }) {
  const context = await stage.openContext()
  const query = new URLSearchParams({ eye: stage.given.eye, key: stage.given.key, integrity })
  const page = await stage.openPage(context, `/classic.html?${query}`)
  await until('the script, or its refusal', () => page.evaluate(() => window.loaded))
  const loaded = await page.evaluate(() => window.loaded)
  if (loaded !== 'load') return { loaded }

  const ids = await page.evaluate(() => [window.theeye.track('test', 'tracked', {})])
  await page.click('[data-eye]')
  await page.fill('input', 'a secret of the visitor')
  await page.press('input', 'Enter')
  await page.evaluate(() => window.theeye.flush())
  await until('an empty queue', async () => page.evaluate(() => window.theeye.stats().queued === 0))
  return { loaded, ids }
}

// A page that has the tag twice, as when a tag manager adds it too.
export async function loadTwice(stage) {
  const query = new URLSearchParams({ eye: stage.given.eye, key: stage.given.key })
  const page = await stage.openPage(await stage.openContext(), `/classic.html?${query}`)
  await until('the script', () => page.evaluate(() => window.loaded))
  await page.evaluate(
    () =>
      new Promise((resolve) => {
        const again = document.createElement('script')
        const first = document.querySelector('script[data-key]')
        Object.assign(again, { src: first.src, onload: resolve })
        Object.assign(again.dataset, first.dataset)
        document.head.append(again)
      }),
  )
  await page.click('[data-eye]')
  await page.evaluate(() => window.theeye.flush())
  await until('an empty queue', async () => page.evaluate(() => window.theeye.stats().queued === 0))
  return {}
}

// A page that was served in a trace, which it names in its head or its answer.
export async function followTrace(stage, { path }) {
  const page = await stage.openPage(await stage.openContext(), path)
  const ids = await track(page, 1)
  await waitForVerdicts(page, 1)
  return { ids }
}

// What track costs the page, in microseconds a call, and what an event costs in all.
export async function measureTrack(stage, { rounds, calls }) {
  const page = await stage.openPage(await stage.openContext())
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable')
  const busy = async () => {
    const { metrics } = await session.send('Performance.getMetrics')
    return metrics.find((metric) => metric.name === 'TaskDuration').value
  }

  const before = await busy()
  const each = []
  for (let round = 0; round < rounds; round++) {
    const took = await page.evaluate((calls) => {
      const data = { product: 'A-1042', price: 19.99, tags: ['new', 'blue'] }
      const began = performance.now()
      for (let i = 0; i < calls; i++) window.eye.track('shop', 'viewed', data)
      return performance.now() - began
    }, calls)
    each.push((took * 1000) / calls)
    await page.evaluate(() => window.eye.flush())
    await until('an empty queue', async () => (await statsOf(page)).queued === 0)
  }

  const stats = await statsOf(page)
  return { each, whole: ((await busy()) - before) * 1e6 / (rounds * calls), stored: stats.stored, dropped: stats.dropped }
}
