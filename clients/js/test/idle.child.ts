// A process that tracks one event and has nothing else to do.
import { init } from '../src/node.js'

const client = init({ url: process.argv[2], key: 'eye_test' })
client.track('018f0000-0000-7000-8000-000000000000', 'test', 'tracked')
