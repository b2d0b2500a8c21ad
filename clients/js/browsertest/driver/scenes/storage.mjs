// Scenes about browsers that do not store, or store no more.

import { statsOf, track, waitForVerdicts, waitUntilWritten } from './queue.mjs'

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

// The site has a database of the same name, with other contents.
export async function findForeignDatabase(stage) {
  const context = await stage.openContext()
  const page = await stage.openPage(context, '/plain.html')
  await page.evaluate(
    () =>
      new Promise((resolve) => {
        indexedDB.open('theeye').onsuccess = ({ target }) => resolve(target.result.close())
      }),
  )
  await page.goto(`${stage.given.site}/page.html`)
  const ids = await track(page, 3)
  return { ids, verdicts: await waitForVerdicts(page, 3), thrown: await page.evaluate(() => window.thrown) }
}

// Two applications on one origin. An event of the first waits while a page of the second sends.
export async function shareOrigin(stage, { keys, queues }) {
  await stage.disturb({ kind: 'cut' })
  const context = await stage.openContext()
  const page = await stage.openPage(context, '/plain.html')
  const open = async (i) => {
    await page.goto(`${stage.given.site}/plain.html`)
    await page.evaluate(
      async (options) => {
        const { init } = await import('/sdk/index.js')
        window.verdicts = []
        window.eye = init({ pages: false, ...options, onVerdict: (event, verdict) => window.verdicts.push(verdict) })
      },
      { url: stage.given.eye, key: keys[i], queue: queues[i] },
    )
  }
  await open(0)
  const ids = await track(page, 1)
  await waitUntilWritten(page, ids)

  await stage.calm()
  await open(1)
  const others = await track(page, 1)
  await waitForVerdicts(page, 1)
  await open(0)
  await waitForVerdicts(page, 1)
  return { ids: [...ids, ...others] }
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
