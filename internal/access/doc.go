// Package access owns who may call: applications, their keys, and what each key
// may do. Requests are authenticated by a Directory, administration goes through a
// Registry, and a Limiter holds every application to its rate.
//
// The Directory answers from memory. It reads one number from the store again and
// again, and everything when that number has changed. What it says is never older
// than Config.MaxAge: when the store is away for longer, it refuses to answer,
// since it could not have seen that a key was revoked.
//
// Only the SHA-256 of a key is kept. A key's text leaves this package once, when
// the key is created.
package access
