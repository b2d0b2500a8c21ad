import type { Track } from './client'

/** Tracks clicks on, or submits of, elements that have data-eye="category:name". */
export const trackActions = (track: Track, type: 'click' | 'submit') =>
  addEventListener(
    type,
    (event) => {
      const element = (event.target as Element).closest?.('[data-eye]')
      if (!element || (element.tagName == 'FORM') != (type == 'submit')) return

      const data: Record<string, string> = {}
      for (const { name, value } of element.attributes) if (/^data-eye-/.test(name)) data[name.slice(9)] = value

      const [category, ...name] = element.getAttribute('data-eye')!.split(':')
      track(category, name.join(':'), data)
    },
    true,
  )
