import { init } from './client.js'
import type { Options } from './client.js'

const { src, dataset } = document.currentScript as HTMLScriptElement

// A tag that is there twice, or that is run again with the body of the next page, starts one client.
if (!(window as any).theeye?.init)
  (window as any).theeye = {
    init,
    ...(dataset.key && init({ url: new URL('.', src) + '', ...dataset } as unknown as Options)),
  }
