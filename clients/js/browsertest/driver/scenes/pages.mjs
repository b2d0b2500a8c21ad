// Scenes about page views.

import { until } from '../stage.mjs'
import { statsOf } from './queue.mjs'

async function sendAll(page) {
  await page.evaluate(() => window.eye.flush())
  await until('an empty queue', async () => (await statsOf(page)).queued === 0)
}

// A page with its own links: by pushState and replaceState, and back.
export async function moveByHistory(stage) {
  const page = await stage.openPage(await stage.openContext({ pages: true }))
  await page.evaluate(async () => {
    history.pushState({}, '', '/first')
    history.pushState({}, '', '/first') // a click on the link of the page itself
    history.replaceState({ scrolled: 100 }, '') // what routers do to remember where the page was
    history.pushState({}, '', '/second?sort=asc')
    history.pushState({}, '', '/second?sort=asc#part')
    const back = new Promise((resolve) => addEventListener('popstate', resolve, { once: true }))
    history.go(-2)
    await back
    history.replaceState({}, '', '/third')
  })
  await sendAll(page)
  return {}
}

// A page with a link to another one.
export async function followLink(stage) {
  const page = await stage.openPage(await stage.openContext({ pages: true }))
  await Promise.all([page.waitForURL('**/next.html'), page.click('a')])
  await sendAll(page)
  return {}
}

// Leaves a page and comes back to it, in a browser that may keep it. The pages do it by themselves,
// for the driver knows no pages that were kept.
export async function comeBack(stage) {
  const context = await stage.openContext({ pages: true })
  const page = await context.newPage()
  await page.goto(`${stage.given.site}/kept.html?run=${stage.run}`)
  const notes = await until('the page to come back', async () => {
    const all = await stage.notes(stage.run)
    return all.length >= 2 ? all : null
  })
  await stage.waitForEvents(3)
  return { notes }
}

// A page lets the browser render another one ahead, and goes there later.
export async function goToPrerendered(stage) {
  await stage.openUndriven('/ahead.html', { pages: true })
  const notes = await until('the page to be shown', async () => {
    const all = await stage.notes(stage.run)
    return all.length >= 2 ? all : null
  })
  await stage.waitForEvents(2)
  return { notes }
}
