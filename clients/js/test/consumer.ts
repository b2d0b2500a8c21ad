// What users of the package write. It compiles against the packed files.
import { init } from '@the-eye/browser'
import type { Client, Event, Verdict } from '@the-eye/browser'
import { init as initNode } from '@the-eye/browser/node'

const eye: Client = init({
  url: 'https://eye.example',
  key: 'eyp_key',
  consent: 'pending',
  onVerdict: (event: Event, verdict: Verdict) => console.log(event.name, verdict.status, verdict.errors),
  onError: ({ status, code }) => console.log(status, code),
})

const id: string | undefined = eye.track('cart', 'added', { sku: 'A-1' })
eye.consent('granted')
await eye.flush()
console.log(id, eye.session(), eye.stats().dropped.full)

const server = initNode({ url: 'https://eye.example', key: 'eye_key', spool: '/var/spool/shop', fsync: true })
server.track('018f0000-0000-7000-8000-000000000000', 'order', 'paid', { total: 12 })
const left: number = await server.close(5_000)
console.log(left)

// @ts-expect-error there is no such state
eye.consent('maybe')
