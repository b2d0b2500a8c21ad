import type { Track } from './client.js'

/** The address of the page; of its fragment only what names a page. */
const address = () => location.href.replace(/#(?![!/]).*/, '')

/** Tracks each view of a page once: loads, changes by the History API, returns from the cache. */
export const trackPages = (track: Track) => {
  let url: string

  const view = (referrer: string) => {
    url = address()
    track('page', 'view', { url, path: location.pathname, referrer })
  }
  const load = () => view(document.referrer)
  const move = () => {
    if (address() != url) view(url)
  }

  for (const method of ['pushState', 'replaceState'] as const) {
    const original = history[method]

    history[method] = (...args) => {
      original.apply(history, args)
      move()
    }
  }

  addEventListener('popstate', move)
  addEventListener('pageshow', (event) => event.persisted && load())

  addEventListener('prerenderingchange', load, true)

  if (!(document as any).prerendering) load()
}
