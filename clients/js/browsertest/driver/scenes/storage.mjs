// Scenes about browsers that do not store, or store no more.

import { statsOf, track, waitForVerdicts } from './queue.mjs'

// The site has filled its localStorage before the SDK starts.
export async function fillLocalStorage(stage) {
  const context = await stage.openContext()
  const page = await stage.openPage(context, '/plain.html')
  const filled = await page.evaluate(() => {
    let size = 1 << 20
    for (let i = 0; size > 0; ) {
      try {
        localStorage.setItem(`site-${i}`, 's'.repeat(size))
        i++
      } catch {
        size >>= 1
      }
    }
    return Object.keys(localStorage).sort()
  })
  await page.goto(`${stage.given.site}/page.html`)
  return { filled, ...(await trackAndLook(page)) }
}

// The quota of the origin is used up.
export async function fillQuota(stage) {
  const context = await stage.openContext()
  const page = await stage.openPage(context, '/plain.html')
  await page.evaluate(() => localStorage.setItem('site', 'its own'))
  const session = await context.newCDPSession(page)
  await session.send('Storage.overrideQuotaForOrigin', { origin: stage.given.site, quotaSize: 1 })
  await stage.disturb({ kind: 'cut' })
  await page.goto(`${stage.given.site}/page.html`)
  const ids = await track(page, 3)
  await page.evaluate(() => window.eye.flush())
  const { unsaved } = await statsOf(page)

  await stage.calm()
  const saw = await trackAndLook(page, 6)
  return { ...saw, ids: [...ids, ...saw.ids], unsaved }
}

// The browser lacks something, as private modes and old browsers do.
export async function lack(stage, { without, origin }) {
  const context = await stage.openContext({}, { without })
  const page = await stage.openPage(context, '/page.html', stage.given[origin])
  return trackAndLook(page)
}

async function trackAndLook(page, verdictsInAll = 3) {
  const ids = await track(page, 3)
  await page.evaluate(() => window.eye.flush())
  const verdicts = await waitForVerdicts(page, verdictsInAll)
  const seen = await page.evaluate(() => {
    let keys = []
    try {
      keys = Object.keys(localStorage).sort()
    } catch {
      // that is what it lacks
    }
    return { keys, thrown: window.thrown, secure: isSecureContext }
  })
  return { ids, verdicts, ...seen }
}
