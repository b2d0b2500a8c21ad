import type { Track } from './client'

/** The address of the page; of its fragment only what names a page. */
const address = () => location.href.replace(/#(?![!/]).*/, '')

/** Tracks each view of a page once: loads, changes by the History API, returns from the cache. */
export const trackPages = (track: Track) => {
  let url: string
  let referrer = document.referrer

  const view = () => {
    url = address()
    track('page', 'view', { path: location.pathname, url, referrer })
  }

  const look = () => {
    if (address() == url) return

    referrer = url
    view()
  }

  for (const method of ['pushState', 'replaceState'] as const) {
    const original = history[method]

    history[method] = function (...args) {
      original.apply(this, args)
      look()
    }
  }

  addEventListener('popstate', look)
  addEventListener('pageshow', (event) => {
    if (!event.persisted) return

    referrer = document.referrer
    view()
  })

  if ((document as any).prerendering) document.addEventListener('prerenderingchange', view, { once: true })
  else view()
}
