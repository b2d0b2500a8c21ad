// Every scene, by the name that the tests use.

export * from './clock.mjs'
export * from './consent.mjs'
export * from './kill.mjs'
export * from './pages.mjs'
export * from './queue.mjs'
export * from './script.mjs'
export * from './sessions.mjs'
export * from './shop.mjs'
export * from './storage.mjs'
export * from './unload.mjs'
