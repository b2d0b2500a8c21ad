// A process that tracks until it is killed. It prints the id of an event once it is in the spool.
import { init } from '../src/node.js'

const [url, spool] = process.argv.slice(2)
const client = init({ url, key: 'eye_test', spool })

for (;;) {
  const id = client.track('018f0000-0000-7000-8000-000000000000', 'test', 'tracked', { text: 'x'.repeat(500) })
  await new Promise((done) => setImmediate(done))
  if (id) process.stdout.write(id + '\n')
}
