// What one scene has for itself: its contexts and the browsers that it started. Everything is closed
// when the scene ends.

import { basename } from 'node:path'
import { Chromium } from './chromium.mjs'
import { prepare } from './prepare.mjs'

export class Stage {
  #startShared
  #folder
  #contexts = []
  #browsers = []

  constructor(startShared, folder, given) {
    this.#startShared = startShared
    this.#folder = folder
    this.given = given
    // A name of this scene's own, for notes.
    this.run = basename(folder)
  }

  // Opens a context without a past in the shared browser. Its pages initialise the SDK with these
  // options; see prepare.mjs for the rest.
  async openContext(options = {}, setting = {}) {
    const chromium = await this.#startShared()
    const context = await chromium.browser.newContext()
    this.#contexts.push(context)
    await this.prepare(context, options, setting)
    return context
  }

  // Starts a browser whose profile has this name, for scenes that kill it.
  async startBrowser(profile) {
    const chromium = await Chromium.start(`${this.#folder}-${profile}`)
    this.#browsers.push(chromium)
    return chromium
  }

  // Opens a page that nobody drives, with options of the SDK in its address.
  async openUndriven(path, options) {
    const init = JSON.stringify({ ...this.#sdkOptions(), ...options })
    const query = new URLSearchParams({ run: this.run, init })
    this.#browsers.push(await Chromium.open(`${this.#folder}-undriven`, `${this.given.site}${path}?${query}`))
  }

  #sdkOptions() {
    return { url: this.given.eye, key: this.given.key }
  }

  async prepare(context, options = {}, setting = {}) {
    const all = { ...this.#sdkOptions(), ...options }
    await context.addInitScript(prepare, { options: all, ...setting })
  }

  // Opens a page of the site. Without more it is one that has an SDK without page views.
  async openPage(context, path = '/page.html', origin = this.given.site) {
    const page = await context.newPage()
    await page.goto(origin + path)
    return page
  }

  // Disturbs what goes through the front, until calm is called.
  async disturb(disturbance) {
    await fetch(`${this.given.eye}/control/disturb`, { method: 'POST', body: JSON.stringify(disturbance) })
  }

  calm() {
    return this.disturb({})
  }

  async requests() {
    const answer = await fetch(`${this.given.eye}/control/requests`)
    return (await answer.json()) ?? []
  }

  // Waits until n requests have reached the front.
  waitForRequests(n) {
    return until(`${n} requests`, async () => (await this.requests()).length >= n)
  }

  // Waits until the front has seen n different events.
  waitForEvents(n) {
    return until(`${n} events`, async () => {
      const events = (await this.requests()).flatMap((request) => request.Events ?? [])
      return new Set(events.map((event) => event.event_id)).size >= n
    })
  }

  async notes(about) {
    const answer = await fetch(`${this.given.notes}/${about}`)
    const text = await answer.text()
    return text ? text.split('\n').map((line) => JSON.parse(line)) : []
  }

  async close() {
    await Promise.allSettled(this.#contexts.map((context) => context.close()))
    await Promise.allSettled(this.#browsers.map((chromium) => chromium.kill()))
  }
}

const patience = 30_000
const step = 20

// Waits until a condition holds, and returns what it returned.
export async function until(what, condition) {
  const end = performance.now() + patience
  for (;;) {
    const held = await condition()
    if (held) return held
    if (performance.now() > end) throw new Error(`waited in vain for: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, step))
  }
}
