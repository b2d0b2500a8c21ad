import { closeSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'

const mine = new Set<string>()

const runs = (pid: number) => {
  try {
    process.kill(pid, 0)

    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' // it runs, and is somebody else's
  }
}

const create = (path: string) => {
  const file = openSync(path, 'wx')
  writeSync(file, String(process.pid))
  closeSync(file)
  mine.add(path)
}

/** Takes away the lock of a process that has ended. */
const clear = (path: string) => {
  const owner = readFileSync(path, 'utf8')

  // After a restart, a container gives a process the number that its predecessor had.
  const stale = Number(owner) === process.pid ? !mine.has(path) : !runs(Number(owner))
  if (!stale) throw new Error(`the spool is in use by process ${owner}: ${path}`)

  // Only one of several that see the same stale lock can rename it.
  const aside = `${path}.${process.pid}`
  renameSync(path, aside)
  if (readFileSync(aside, 'utf8') !== owner) {
    renameSync(aside, path)
    throw new Error(`the spool was just taken by another process: ${path}`)
  }
  rmSync(aside)
}

/** Takes a lock file for this process, or throws when a process that runs has it. */
export const takeLock = (path: string) => {
  try {
    create(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error

    clear(path)
    create(path)
  }
}

/** Gives the lock to whoever wants it next. */
export const dropLock = (path: string) => {
  mine.delete(path)
  rmSync(path, { force: true })
}
