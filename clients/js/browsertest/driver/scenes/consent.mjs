// Scenes about consent.

import { until } from '../stage.mjs'
import { statsOf, track, waitForVerdicts, waitUntilWritten } from './queue.mjs'

// What a page has stored on the machine of its visitor.
function storageOf(page) {
  return page.evaluate(async () => {
    const found = [...Object.keys(localStorage), ...Object.keys(sessionStorage)]
    if (document.cookie) found.push(document.cookie)
    for (const { name } of await indexedDB.databases()) {
      const database = await new Promise((resolve) => {
        const opening = indexedDB.open(name)
        opening.onsuccess = () => resolve(opening.result)
      })
      for (const store of database.objectStoreNames) {
        const rows = await new Promise((resolve) => {
          const reading = database.transaction(store).objectStore(store).getAll()
          reading.onsuccess = () => resolve(reading.result)
        })
        found.push(...rows.map((row) => JSON.stringify(row)))
      }
      database.close()
    }
    return found
  })
}

// Long enough for a client that does not wait for consent to store and send.
async function giveTime(page) {
  await page.evaluate(() => window.eye.flush())
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 1500)))
}

async function state(stage, page) {
  return {
    storage: await storageOf(page),
    events: (await stage.requests()).flatMap((request) => request.Events ?? []).length,
    session: await page.evaluate(() => window.eye.session() ?? null),
    stats: await statsOf(page),
    thrown: await page.evaluate(() => window.thrown),
  }
}

// Tracks while consent is pending, and then gives the answer.
export async function answerLater(stage, { answer }) {
  const page = await stage.openPage(await stage.openContext({ consent: 'pending', pages: true }))
  const ids = await track(page, 3)
  await giveTime(page)
  const pending = await state(stage, page)

  await page.evaluate((answer) => window.eye.consent(answer), answer)
  if (answer === 'granted') await waitForVerdicts(page, 4)
  await giveTime(page)
  const later = await track(page, 1)
  return { ids, later: later[0] ?? null, pending, answered: await state(stage, page) }
}

// Withdraws consent while events wait in the queue.
export async function withdraw(stage) {
  await stage.disturb({ kind: 'refuse', status: 503, retry_after: '1' })
  const context = await stage.openContext()
  const page = await stage.openPage(context)
  const ids = await track(page, 3)
  await waitUntilWritten(page, ids)
  const session = await page.evaluate(() => window.eye.session() ?? null)
  await page.evaluate(() => window.eye.consent('denied'))
  await until('the queue erased', async () => !(await storageOf(page)).some((row) => ids.some((id) => row.includes(id))))

  await stage.calm()
  const before = (await state(stage, page)).events
  await giveTime(page)
  const denied = await state(stage, page)
  return { ids, session, denied, sentSince: denied.events - before }
}

// A browser that asks for privacy, by Global Privacy Control.
export async function askForPrivacy(stage, { gpc }) {
  const page = await stage.openPage(await stage.openContext({ gpc, pages: true }, { privacy: true }))
  await track(page, 2)
  await giveTime(page)
  return state(stage, page)
}
