// Every scene, by the name that the tests use.

export * from './queue.mjs'
export * from './kill.mjs'
