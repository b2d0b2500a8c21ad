import type { Track } from './client.js'

/** Tracks what happens to elements that have data-eye="category:name" and fit the selector. */
export const trackActions = (track: Track, type: string, selector: string) =>
  addEventListener(
    type,
    (event) => {
      const element = (event.target as Element).closest?.<HTMLElement>(selector)
      if (!element) return

      const data: Record<string, string> = {}
      for (const { name, value } of element.attributes) {
        const [, key] = name.split('data-eye-')
        if (key) data[key] = value
      }

      track(...(element.dataset.eye!.split(/:(.*)/, 2) as [string, string]), data)
    },
    true,
  )
