// Initialises the SDK in a page of the tests, with the options that the driver has left, or those in
// the address of the page, and keeps what the SDK reports.

import { init } from '/sdk/index.js'

window.verdicts = []
window.failures = []
window.thrown = []
window.addEventListener('error', (event) => window.thrown.push(event.message))
window.addEventListener('unhandledrejection', (event) => window.thrown.push(String(event.reason)))

window.eye = init({
  pages: false,
  ...(window.sdkOptions ?? JSON.parse(new URLSearchParams(location.search).get('init'))),
  onVerdict(event, verdict) {
    window.verdicts.push(verdict)
    window.onVerdictSeen?.(event, verdict)
  },
  onError(error) {
    window.failures.push(error)
  },
})
