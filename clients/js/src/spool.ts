import { closeSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Row } from './event.js'
import { dropLock, takeLock } from './lock.js'
import type { Store } from './store.js'

/** A store in a folder of the disk. */
export interface Spool {
  store: Store
  /** Leaves the folder to the next process. The rows stay. */
  close(): void
}

type Rows = Map<string, Row>

/** A part of a transaction. A line of the journal is a whole one: an array. */
type Entry = { put: Row } | { delete: string }

const COMPACT = 4 << 20 // a journal below these bytes is not worth writing anew

const apply = (rows: Rows, entries: Entry[]) => {
  for (const entry of entries)
    if ('put' in entry) rows.set(entry.put.id, entry.put)
    else rows.delete(entry.delete)
}

/** Reads a journal, and returns where its last whole transaction ends. */
const replay = (journal: Buffer, rows: Rows) => {
  let end = 0

  for (;;) {
    const next = journal.indexOf('\n', end) + 1
    if (!next) return end

    try {
      apply(rows, JSON.parse(journal.toString('utf8', end, next)))
    } catch {
      return end // torn
    }
    end = next
  }
}

const writeAll = (file: number, text: string, at: number) => {
  const bytes = Buffer.from(text)

  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, at + done)

  return at + bytes.length
}

/**
 * Opens a store in a folder, which it makes. It is one append-only journal: a transaction is one
 * line at its end, so a process that is killed leaves whole transactions and at most one torn
 * one, which does not count. What was written survives the process; with fsync, also the machine.
 *
 * Throws when another process that runs has the folder, or when it cannot be written.
 */
export const openSpool = (folder: string, fsync: boolean): Spool => {
  const path = join(resolve(folder), 'queue.jsonl')
  const lock = join(resolve(folder), 'lock')
  const rows: Rows = new Map()

  mkdirSync(folder, { recursive: true })
  takeLock(lock)
  closeSync(openSync(path, 'a'))

  let file = openSync(path, 'r+')
  let end = replay(readFileSync(path), rows)
  let limit = COMPACT
  ftruncateSync(file, end)

  const append = (entries: Entry[]) => {
    try {
      const next = writeAll(file, JSON.stringify(entries) + '\n', end)
      if (fsync) fsyncSync(file)
      end = next
    } catch (error) {
      ftruncateSync(file, end)
      throw error
    }
  }

  /** Writes the journal anew, with what is left. */
  const compact = () => {
    const entries = [...rows.values()].map((row) => ({ put: row }))
    const fresh = openSync(path + '.new', 'w')
    const next = writeAll(fresh, JSON.stringify(entries) + '\n', 0)
    fsyncSync(fresh)
    renameSync(path + '.new', path)

    closeSync(file)
    file = fresh
    end = next
  }

  return {
    store: async (edit) => {
      const entries: Entry[] = []

      edit([...rows.values()], {
        put: (row) => entries.push({ put: row }),
        delete: (id) => entries.push({ delete: id }),
      })
      if (!entries.length) return true

      append(entries)
      apply(rows, entries)

      if (end > limit) {
        limit = Infinity // also when it fails
        compact()
        limit = Math.max(COMPACT, 2 * end)
      }

      return true
    },

    close() {
      closeSync(file)
      dropLock(lock)
    },
  }
}
