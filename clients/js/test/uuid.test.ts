import assert from 'node:assert/strict'
import { test } from 'node:test'
import { uuid } from '../src/uuid.js'

test('ids are UUIDv7 of now, differ, and sort in the order of their making', () => {
  const before = Date.now()
  const ids = Array.from({ length: 10_000 }, uuid)

  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.equal(new Set(ids).size, ids.length)
  assert.deepEqual([...ids].sort(), ids)

  const time = parseInt(ids[0].replace(/-/g, '').slice(0, 12), 16)
  assert.ok(time >= before && time <= Date.now())
})
