// Posts a batch with the types that openapi-typescript made of the OpenAPI document, and prints
// the verdicts; then the events that it reads back from their session. A test makes those types
// beside it, compiles both, and runs this.
import type { components, operations } from './api.js'

declare const process: { argv: string[]; exitCode: number }

type Answer = operations['postEvents']['responses']
type Verdicts = Answer[201 | 207]['content']['application/json']
type Page = operations['listEvents']['responses'][200]['content']['application/json']

async function run(url: string, key: string): Promise<void> {
  const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' }
  const session = crypto.randomUUID()
  const event: components['schemas']['Event'] = {
    session_id: session,
    category: 'page',
    name: 'view',
    timestamp: '2021-01-01T09:15:27Z',
    data: { path: '/' },
  }
  const batch: components['schemas']['EventOrBatch'] = [event, { ...event, name: '' }]

  const posted = await fetch(`${url}/v1/events`, { method: 'POST', headers, body: JSON.stringify(batch) })
  if (posted.status !== 201 && posted.status !== 207) {
    const problem = (await posted.json()) as components['schemas']['Problem']
    throw new Error(`${problem.status} ${problem.code}`)
  }

  const verdicts = (await posted.json()) as Verdicts
  if (!('results' in verdicts)) {
    throw new Error('a batch was answered as one event')
  }

  for (const verdict of verdicts.results) {
    console.log(verdict.status, verdict.sequence ?? verdict.errors?.[0]?.code)
  }

  const read = await fetch(`${url}/v1/events?session_id=${session}`, { headers })
  const page = (await read.json()) as Page
  for (const stored of page.events) {
    console.log(stored.sequence, stored.category, stored.name, JSON.stringify(stored.data))
  }
}

run(process.argv[2], process.argv[3]).catch((error: unknown) => {
  console.log(error)
  process.exitCode = 1
})
