// Scenes about the example of a site.

import { until } from '../stage.mjs'

// A visitor of examples/shop chooses a product and orders it.
export async function order(stage, { shop }) {
  const context = await stage.openContext()
  const page = await stage.openPage(context, '/', shop)
  await until('the script', () => page.evaluate(() => window.theeye !== undefined))
  await page.click('text=A lens')
  await until('the script', () => page.evaluate(() => window.theeye?.session?.() !== undefined))
  const session = await page.evaluate(() => window.theeye.session())
  await page.click('text=Order')
  await page.waitForSelector('text=Thank you')
  await until('an empty queue', () => page.evaluate(() => window.theeye?.flush?.() && window.theeye.stats().queued === 0))
  return { session }
}
