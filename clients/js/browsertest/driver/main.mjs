// Plays scenes in Chromium: reads an order from each line of standard input, {id, scene, with}, and
// writes a reply for each, {id, saw} or {id, error}. Its argument is a folder for profiles. It ends,
// and its browsers with it, when standard input is closed.

import { createInterface } from 'node:readline'
import { Chromium } from './chromium.mjs'
import * as scenes from './scenes/index.mjs'
import { Stage } from './stage.mjs'

const folder = process.argv[2]

let shared

// The browser of all scenes but those that start their own.
function startShared() {
  shared ??= Chromium.start(`${folder}/shared`)
  return shared
}

async function play({ id, scene, with: given }) {
  const stage = new Stage(startShared, `${folder}/${id}`, given)
  try {
    const saw = await scenes[scene](stage, given)
    return { id, saw: saw ?? null }
  } catch (error) {
    return { id, error: String(error?.stack ?? error) }
  } finally {
    await stage.close()
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  play(JSON.parse(line)).then((reply) => process.stdout.write(`${JSON.stringify(reply)}\n`))
}

if (shared) (await shared).kill()
process.exit()
