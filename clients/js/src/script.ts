import { init } from './client.js'
import type { Options } from './client.js'

const { src, dataset } = document.currentScript as HTMLScriptElement

;(window as any).theeye = {
  init,
  ...(dataset.key && init({ url: new URL('.', src).href, ...dataset } as unknown as Options)),
}
