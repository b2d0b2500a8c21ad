// A Chromium of Debian's package in a process group of its own, so that all of it can be killed.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { chromium } from 'playwright-core'

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--remote-debugging-port=0',
  // An origin that is not secure, as a page over plain HTTP has.
  '--host-resolver-rules=MAP plain.test 127.0.0.1',
]

const program = findProgram(['chromium', 'chromium-browser', 'google-chrome'])

function findProgram(names) {
  const folders = process.env.PATH.split(delimiter)
  const found = names.find((name) => folders.some((folder) => existsSync(join(folder, name))))
  if (!found) throw new Error(`none of ${names} is installed`)
  return found
}

export class Chromium {
  constructor(process, browser) {
    this.process = process
    this.browser = browser
  }

  // Starts Chromium with a profile, which is made if it does not exist.
  static async start(profile) {
    const child = spawnChromium(profile, 'about:blank')
    return new Chromium(child, await chromium.connectOverCDP(await readAddress(child)))
  }

  // Starts Chromium with a page that nobody drives. A page that is driven cannot have another one
  // rendered ahead.
  static async open(profile, address) {
    const child = spawnChromium(profile, address)
    await readAddress(child)
    return new Chromium(child)
  }

  // The context of the profile, which outlives the browser.
  profileContext() {
    return this.browser.contexts()[0]
  }

  // Kills every process of this Chromium at once, and returns when they are gone.
  async kill() {
    const gone = once(this.process, 'exit')
    process.kill(-this.process.pid, 'SIGKILL')
    await gone
  }
}

function spawnChromium(profile, address) {
  return spawn(program, [...flags, `--user-data-dir=${profile}`, address], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
}

function readAddress(child) {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stderr.on('data', (chunk) => {
      text += chunk
      const found = text.match(/DevTools listening on (ws:\S+)/)
      if (found) resolve(found[1])
    })
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`Chromium has ended: ${text}`)))
  })
}
