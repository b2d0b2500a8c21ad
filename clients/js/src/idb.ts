import type { Store } from './store.js'

/** The name of the database, of its store, and of the lock of who sends. */
export const NAME = 'theeye'

/**
 * A store in IndexedDB. It opens the database for each transaction: browsers close those of pages
 * that rest, and an open one keeps the site from deleting it.
 */
export const browserStore: Store = (edit) =>
  new Promise((done, fail) => {
    const request = indexedDB.open(NAME)

    request.onerror = fail
    request.onupgradeneeded = () => request.result.createObjectStore(NAME, { keyPath: 'id' })
    request.onsuccess = () => {
      const transaction = request.result.transaction(NAME, 'readwrite')
      const store = transaction.objectStore(NAME)
      const read = store.getAll()

      read.onsuccess = () => edit(read.result, store)
      transaction.oncomplete = done
      transaction.onabort = fail
      request.result.close() // after the transaction
    }
    })
