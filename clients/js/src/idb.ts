import type { Store } from './store.js'

/** The name of the store, and of a queue that has no other: its database, and the lock of who sends. */
export const NAME = 'theeye'

/**
 * A store in a database of IndexedDB. It opens the database for each transaction: browsers close
 * those of pages that rest, and an open one keeps the site from deleting it.
 */
export const browserStore = (name: string): Store => (edit) =>
  new Promise((done, fail) => {
    const request = indexedDB.open(name)

    request.onerror = fail
    request.onupgradeneeded = () => request.result.createObjectStore(NAME, { keyPath: 'id' })
    request.onsuccess = () => {
      try {
        const transaction = request.result.transaction(NAME, 'readwrite')
        const store = transaction.objectStore(NAME)
        const read = store.getAll()

        read.onsuccess = () => edit(read.result, store)
        transaction.oncomplete = done
        transaction.onabort = fail
      } catch {
        fail() // the browser has just closed it, or it is not ours
      }
      request.result.close() // after the transaction
    }
    })
