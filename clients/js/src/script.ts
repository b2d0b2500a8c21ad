import { init } from './client'
import type { Options } from './client'

const script = document.currentScript as HTMLScriptElement
const options = { url: new URL('.', script.src).href, ...script.dataset } as unknown as Options

;(window as any).theeye = { init, ...(options.key && init(options)) }
