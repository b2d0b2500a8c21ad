// Runs in each page of a context before its own scripts, so it may use nothing of this module.
//
// options are those of the SDK; ahead is the time in milliseconds by which the page's clock is ahead;
// without names what the browser is to lack: indexedDB, locks, localStorage; privacy turns on Global
// Privacy Control.
export function prepare({ options, ahead = 0, without = [], privacy = false }) {
  window.sdkOptions = options

  // The ids of the events whose transaction has been completed: those are in the queue for good.
  window.written = new Set()
  for (const method of ['add', 'put']) {
    const original = IDBObjectStore.prototype[method]
    IDBObjectStore.prototype[method] = function (...given) {
      const ids = JSON.stringify(given).match(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g) ?? []
      this.transaction.addEventListener('complete', () => {
        for (const id of ids) window.written.add(id)
        window.onWritten?.(ids)
      })
      return original.apply(this, given)
    }
  }

  // The most that was in flight at once of what a browser lets outlive its page.
  window.flights = { most: 0, mostBytes: 0 }
  const flying = { count: 0, bytes: 0 }
  const realFetch = window.fetch
  window.fetch = async (address, given = {}) => {
    const bytes = given.keepalive ? given.body.length : 0
    if (given.keepalive) flying.count++
    flying.bytes += bytes
    window.flights.most = Math.max(window.flights.most, flying.count)
    window.flights.mostBytes = Math.max(window.flights.mostBytes, flying.bytes)
    try {
      return await realFetch(address, given)
    } finally {
      if (given.keepalive) flying.count--
      flying.bytes -= bytes
    }
  }

  if (ahead) {
    const Real = Date
    window.Date = class extends Real {
      constructor(...given) {
        if (given.length) super(...given)
        else super(Real.now() + ahead)
      }

      static now() {
        return Real.now() + ahead
      }
    }
  }

  if (without.includes('indexedDB')) Object.defineProperty(window, 'indexedDB', { value: undefined })
  if (without.includes('locks')) Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })
  if (without.includes('localStorage')) {
    Object.defineProperty(window, 'localStorage', {
      get() {
        throw new DOMException('The document has no storage.', 'SecurityError')
      },
    })
  }

  if (privacy) Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { value: true })
}
