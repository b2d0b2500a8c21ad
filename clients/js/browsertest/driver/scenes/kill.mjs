// The kill test: events are tracked in one profile over many cycles, and in each cycle something
// breaks. A journal in this process, which nothing breaks, says what was tracked, what was in the
// queue for good, and which verdicts were told.

import { Random } from '../random.mjs'
import { until } from '../stage.mjs'
import { faults } from './faults.mjs'

const eventsOfTab = 30
const mostTabs = 3

// Plays all cycles, waits until the queue is empty, and returns the journal.
export async function kill(stage, { cycles, seed }) {
  const run = new Run(stage, new Random(seed))
  await run.startBrowser()

  const names = Object.keys(faults)
  const deck = run.random.shuffle(Array.from({ length: cycles }, (_, cycle) => names[cycle % names.length]))
  for (const [cycle, fault] of deck.entries()) {
    run.cycle = cycle
    run.fault = fault
    await faults[fault](run)
    await run.recover()
  }

  const drained = await run.drain()
  return { events: [...run.journal.values()], cycles: deck, drained, strangers: run.strangers }
}

// A run of the kill test: the browser with its tabs, and the journal.
class Run {
  journal = new Map()
  // What pages reported about events that they had not reported as tracked: the page was killed
  // between the two.
  strangers = 0
  tabs = []
  cycle = 0
  fault = ''
  #next = 0
  #byID = new Map()

  constructor(stage, random) {
    this.stage = stage
    this.random = random
  }

  async startBrowser() {
    this.chromium = await this.stage.startBrowser('profile')
    this.tabs = []
    this.context = this.chromium.profileContext()
    await this.context.exposeFunction('report', (report) => this.#record(report))
    await this.stage.prepare(this.context)
    await this.context.addInitScript(() => {
      window.onWritten = (ids) => window.report({ written: ids })
      window.onVerdictSeen = (event, verdict) => window.report({ verdict: verdict.status, id: event.event_id })
    })
  }

  async killBrowser() {
    await this.chromium.kill()
    await this.startBrowser()
  }

  // Opens a tab, which begins to track at once and goes on while something breaks.
  async openTab({ ahead = 0 } = {}) {
    const page = await this.context.newPage()
    if (ahead) await this.stage.prepare(page, {}, { ahead })
    await page.goto(`${this.stage.given.site}/page.html`)
    this.tabs.push(page)
    await this.track(page)
    return page
  }

  async track(page) {
    const from = this.#next
    this.#next += eventsOfTab
    await page.evaluate(trackSteadily, { from, to: this.#next, gap: 20, cycle: this.cycle, fault: this.fault })
  }

  // Waits for a moment that nobody knows before.
  pause(atMost = 400) {
    return new Promise((resolve) => setTimeout(resolve, this.random.below(atMost)))
  }

  async control(what) {
    const answer = await fetch(`${this.stage.given.eye}/control/${what}`, { method: 'POST' })
    if (!answer.ok) throw new Error(`${what}: ${await answer.text()}`)
  }

  // Ends what is still broken, and closes old tabs. The network is slow, but never equally so.
  async recover() {
    await this.stage.disturb({ delay: this.random.below(100) })
    while (this.tabs.length >= mostTabs) await this.closeTab(this.tabs[0])
  }

  async closeTab(page) {
    this.tabs = this.tabs.filter((tab) => tab !== page)
    await page.close()
  }

  // Waits until no event waits for its verdict, and returns the seconds that it took.
  async drain() {
    const began = performance.now()
    for (const tab of [...this.tabs]) await this.closeTab(tab)

    const page = await this.context.newPage()
    await page.goto(`${this.stage.given.site}/page.html`)
    await until('the queue to be empty', () =>
      page.evaluate(async () => {
        await window.eye.flush()
        return window.eye.stats().queued === 0 || null
      }),
    )
    return (performance.now() - began) / 1000
  }

  #record({ tracked, id, written, verdict }) {
    if (tracked) {
      const entry = { ...tracked, id, written: false, verdicts: [] }
      this.journal.set(entry.n, entry)
      if (id) this.#byID.set(id, entry)
    } else if (written) {
      for (const one of written) if (this.#byID.has(one)) this.#byID.get(one).written = true
    } else if (this.#byID.has(id)) {
      this.#byID.get(id).verdicts.push(verdict)
    } else {
      this.strangers++
    }
  }
}

// Runs in the page: tracks events numbered from n to to, with random gaps, and reports each. One in
// twenty has a name that the service rejects.
function trackSteadily({ from, to, gap, cycle, fault }) {
  let n = from
  const trackNext = () => {
    const valid = n % 20 !== 7
    const id = window.eye.track('kill', valid ? fault : 'x'.repeat(129), { n })
    window.report({ tracked: { n, cycle, fault, valid }, id })
    n++
    if (n < to) setTimeout(trackNext, Math.random() * gap)
  }
  trackNext()
}
