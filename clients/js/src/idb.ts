import { memory } from './store'
import type { Store } from './store'

const open = (name: string) =>
  new Promise<IDBDatabase>((done, fail) => {
    const request = indexedDB.open(name)

    request.onupgradeneeded = () => request.result.createObjectStore(name, { keyPath: 'id' })
    request.onsuccess = () => done(request.result)
    request.onerror = fail
  })

/** A store in IndexedDB, and in memory from the moment that IndexedDB refuses. */
export const browserStore = (name: string): Store => {
  const fallback = memory()
  let database: Promise<IDBDatabase> | undefined
  let refused = false

  const attempt: Store = async (last, edit) => {
    const opened = await (database ||= open(name))

    return new Promise((done, fail) => {
      const transaction = opened.transaction(name, 'readwrite')
      const store = transaction.objectStore(name)
      const read = store.getAll(IDBKeyRange.bound('', last))

      read.onsuccess = () => edit(read.result, store)
      transaction.oncomplete = () => done(true)
      transaction.onabort = fail
    })
  }

  return async (last, edit) => {
    // A browser may close a database while its page rests: the second attempt opens it anew.
    for (let attempts = 2; !refused && attempts--; )
      try {
        return await attempt(last, edit)
      } catch {
        database = undefined
        refused = !attempts
      }

    return fallback(last, edit)
  }
}
