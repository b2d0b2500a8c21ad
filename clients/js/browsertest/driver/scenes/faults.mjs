// What breaks in a cycle of the kill test, by the name in its report. Each tracks events before,
// while and after it breaks.

// In every second cycle nothing gets through, so that the queue is all there is.
async function cutInHalfOfAllCycles(run) {
  if (run.random.below(2)) await run.stage.disturb({ kind: 'cut' })
}

// Only the tab that tracks.
async function closeTab(run) {
  await cutInHalfOfAllCycles(run)
  const page = await run.openTab()
  await run.pause()
  await run.closeTab(page)
}

// Every process of the browser, as kill -9 or a power cut of the user's session does.
async function killBrowser(run) {
  await cutInHalfOfAllCycles(run)
  await run.openTab()
  await run.pause(800)
  await run.killBrowser()
}

async function reload(run) {
  await cutInHalfOfAllCycles(run)
  const page = await run.openTab()
  await run.pause()
  await page.reload()
  await run.track(page)
  await run.pause()
}

async function goOffline(run) {
  await run.openTab()
  await run.pause(100)
  await run.context.setOffline(true)
  await run.pause(1000)
  await run.context.setOffline(false)
}

async function killService(run) {
  await run.openTab()
  await run.pause()
  await run.control('kill-service')
  await run.pause()
  await run.control('start-service')
}

// Refuses everything, and in every second storm only after it was stored.
async function stormOf503(run) {
  await run.stage.disturb({ kind: run.random.below(2) ? 'lie' : 'refuse', status: 503, retry_after: '1' })
  await run.openTab()
  await run.pause(1000)
}

async function answer429(run) {
  await run.openTab()
  await run.pause(100)
  await run.stage.disturb({ kind: 'refuse', status: 429, retry_after: '1' })
  await run.pause(1000)
}

async function loseAnswers(run) {
  await run.stage.disturb({ kind: 'lose' })
  await run.openTab()
  await run.pause(1000)
}

async function clockAhead(run) {
  const page = await run.openTab({ ahead: 600_000 })
  await run.pause(1000)
  await run.closeTab(page)
}

async function twoTabs(run) {
  const [first] = await Promise.all([run.openTab(), run.openTab()])
  await run.pause()
  await run.closeTab(first)
}

export const faults = {
  'tab closed': closeTab,
  'browser killed': killBrowser,
  'page reloaded': reload,
  'offline and online': goOffline,
  'service killed': killService,
  'storm of 503': stormOf503,
  429: answer429,
  'answers lost': loseAnswers,
  'clock 10 min ahead': clockAhead,
  'two tabs': twoTabs,
}
